// A lost connection lies over the whole page: nobody may take what is under it for new.
import { useEffect } from "preact/hooks";
import { link } from "../state/link";
import { serverNow, tick } from "../state/moment";
import { clockSeconds, LINK, span } from "../strings";

export function Lost() {
  const now = link.value;
  const isDown = now.state === "down";
  useEffect(() => {
    document.documentElement.classList.toggle("is-lost", isDown);
  }, [isDown]);
  if (now.state !== "down") return null;
  void tick.value;
  return (
    <div class="lost" role="alertdialog" aria-labelledby="lost-title" aria-describedby="lost-text">
      <h2 id="lost-title">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M2 2 22 22M5 12a10 10 0 0 1 4-2.4M1.5 8.5A16 16 0 0 1 7 5.4M13 5a16 16 0 0 1 9.5 3.5M15.5 9.9A10 10 0 0 1 19 12M12 19h.01" />
        </svg>
        {LINK.lost}
      </h2>
      <p id="lost-text">{LINK.numbers}</p>
      <p class="detail">
        {LINK.since} {clockSeconds(now.since)} · {now.why}
        <span aria-hidden="true">
          {" "}
          · {span((serverNow() - now.since) / 1000)} · {LINK.again}
        </span>
      </p>
    </div>
  );
}
