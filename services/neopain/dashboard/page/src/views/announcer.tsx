// What a screen reader is told without being asked: notices, and that the connection is back. Numbers are not.
import { useEffect, useState } from "preact/hooks";
import { bedName } from "../fhir/census";
import { link } from "../state/link";
import { beds } from "../state/ward";
import { ALERT, LEVEL_WORD, LINK } from "../strings";

export function Announcer() {
  const [said, say] = useState("");
  const state = link.value.state;
  const [before, remember] = useState(state);
  const wanting = beds().filter((one) => one.alert?.wantsAnswer && one.place !== null);
  const notices = wanting.map(
    (one) => `${ALERT.opened}: ${bedName(one.bed)}, ${LEVEL_WORD[one.alert?.level ?? "low"]}`,
  );
  const all = notices.join(". ");
  useEffect(() => say(all), [all]);
  useEffect(() => {
    if (before === "down" && state === "up") say(LINK.back);
    remember(state);
  }, [state, before]);
  return (
    <p class="for-readers" role="status" aria-live="polite">
      {said}
    </p>
  );
}
