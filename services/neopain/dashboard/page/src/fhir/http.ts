// Requests to the server that this page came from. It holds the token; the page only has a cookie.
import { mark, takeServerDate } from "../state/moment";

const LONGEST_MS = 5_000;
const FHIR_JSON = "application/fhir+json";

/** The server could not be asked, or could not ask the FHIR server. */
export class Unreachable extends Error {}

/** Nobody is signed in any more. */
export class SignedOut extends Error {}

/** The server said no: `text` is for a person. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly text: string,
  ) {
    super(`${status}: ${text}`);
  }
}

export interface Ask {
  method?: "GET" | "PUT" | "POST";
  body?: unknown;
  version?: string;
  longestMs?: number;
}

/** The JSON of an answer. `Unreachable`, `SignedOut`, `Refusal`. */
export async function ask<T>(path: string, how: Ask = {}): Promise<T> {
  const answer = await send(path, how);
  return (await answer.json()) as T;
}

async function send(path: string, how: Ask): Promise<Response> {
  const asked = mark();
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: how.method ?? "GET",
      headers: headersOf(how),
      body: how.body === undefined ? null : JSON.stringify(how.body),
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(how.longestMs ?? LONGEST_MS),
    });
  } catch (error) {
    throw new Unreachable(error instanceof Error ? error.message : "no answer");
  }
  takeServerDate(answer.headers.get("Date"), asked);
  await requireGood(answer);
  return answer;
}

function headersOf(how: Ask): HeadersInit {
  const headers: Record<string, string> = { Accept: FHIR_JSON };
  if (how.body !== undefined) headers["Content-Type"] = FHIR_JSON;
  if (how.method !== undefined) headers["X-Neopain-Page"] = "1";
  if (how.version !== undefined) headers["If-Match"] = `W/"${how.version}"`;
  return headers;
}

/** Throws what an answer that is no success means. */
export async function requireGood(answer: Response): Promise<void> {
  if (answer.ok) return;
  if (answer.status === 401) throw new SignedOut();
  const text = await outcomeOf(answer);
  if (answer.status >= 500) throw new Unreachable(text);
  throw new Refusal(answer.status, text);
}

async function outcomeOf(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { issue?: { diagnostics?: string; details?: { text?: string } }[] };
    const issue = body.issue?.[0];
    return issue?.details?.text ?? issue?.diagnostics ?? `status ${answer.status}`;
  } catch {
    return `status ${answer.status}`;
  }
}
