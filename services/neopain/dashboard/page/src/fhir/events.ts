// The stream of events that say what to read again.
import { mark, takeServerDate } from "../state/moment";
import { requireGood, Unreachable } from "./http";
import { EventReader, type ServerEvent } from "./sse";

/** Hands over each event, and calls `heard` for whatever comes, until the stream ends or is given up. */
export async function readEvents(
  path: string,
  onEvent: (event: ServerEvent) => void,
  heard: () => void,
  signal: AbortSignal,
): Promise<void> {
  const asked = mark();
  const answer = await open(path, signal);
  takeServerDate(answer.headers.get("Date"), asked);
  await requireGood(answer);
  if (answer.body === null) throw new Unreachable("an empty stream");
  heard();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new EventReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const event of events.take(value)) onEvent(event);
    }
  } catch (error) {
    throw new Unreachable(String(error));
  }
}

async function open(path: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(path, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal });
  } catch (error) {
    throw new Unreachable(String(error));
  }
}
