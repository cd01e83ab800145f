// Who is signed in, and what may be done.
import { signal } from "@preact/signals";
import { ask, SignedOut } from "../fhir/http";

export interface Session {
  user: string;
  expires: string;
  mayReview: boolean;
  events: boolean;
  source: "neopain" | "other";
  fhir: string;
  signOut: string;
}

export const session = signal<Session | null>(null);

/** Where to sign in once nobody is; null while somebody is, or it is not known yet. */
export const signIn = signal<string | null>(null);

/** Asks who is signed in. `Unreachable`. Where nobody is, everything that was shown is gone. */
export async function readSession(): Promise<Session> {
  try {
    session.value = await ask<Session>("/session");
    signIn.value = null;
    return session.value;
  } catch (error) {
    if (error instanceof SignedOut) endSession();
    throw error;
  }
}

export function endSession(): void {
  session.value = null;
  signIn.value = `/sign-in?to=${encodeURIComponent(location.pathname)}`;
}

/** Signs out here and, where there is one, at the provider, whose page comes next. */
export async function signOut(address: string): Promise<void> {
  const { next } = await ask<{ next: string }>(address, { method: "POST" });
  endSession();
  if (next !== "/") location.assign(next);
}
