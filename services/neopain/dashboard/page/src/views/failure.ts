// Why something was not written, for a person.
import { Refusal, SignedOut } from "../fhir/http";
import { ENTRY, LINK, SESSION } from "../strings";

export function inWordsOf(error: unknown): string {
  if (error instanceof SignedOut) return SESSION.ended;
  if (error instanceof Refusal) return error.status === 412 ? ENTRY.conflict : `${ENTRY.failed} ${error.text}`;
  return `${ENTRY.failed} ${LINK.unreachable}`;
}
