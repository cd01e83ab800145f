// A score as it is shown everywhere: never without its age, its interval and that it is investigational.
import { ageOf, levelOf, type Score, STUDY_MODE } from "../fhir/score";
import { tick } from "../state/moment";
import { type Freshness, freshnessOf } from "../state/ward";
import { reasonInWords, span, STUDY, TEXT } from "../strings";
import { LevelBadge } from "./glyphs";

export function ScoreBlock({ score }: { score: Score | null }) {
  void tick.value;
  if (score === null) return <NoScore reason="" ago={null} />;
  const freshness = freshnessOf(score);
  if (score.value === null || freshness === "gone") {
    return <NoScore reason={score.value === null ? score.reason : "stale"} ago={ageOf(score)} />;
  }
  return <Told score={score} value={score.value} freshness={freshness} />;
}

function Told({ score, value, freshness }: { score: Score; value: number; freshness: Freshness }) {
  const isOld = freshness !== "fresh";
  return (
    <div class={`score ${isOld ? "is-old" : `at-${levelOf(value)}`}`}>
      <p class="number">
        {isOld ? <s>{value.toFixed(1)}</s> : value.toFixed(1)}
        <span class="of"> {TEXT.ofTen}</span>
      </p>
      <div class="beside">
        {!isOld && <LevelBadge level={levelOf(value)} />}
        {isOld && <span class="old-word">{TEXT.oldNumber}</span>}
        <p class="interval">
          {score.low !== null && score.high !== null && (
            <>
              <span class="label">{TEXT.interval}</span> {score.low.toFixed(1)}–{score.high.toFixed(1)}
            </>
          )}
        </p>
        <p class="age">
          {score.isLive ? "" : `${TEXT.charted} `}
          {span(ageOf(score))} {TEXT.old}
        </p>
      </div>
      <Scale value={value} low={score.low} high={score.high} />
    </div>
  );
}

/** Where the number and its interval lie between 0 and 10. */
function Scale({ value, low, high }: { value: number; low: number | null; high: number | null }) {
  const from = low ?? value;
  const to = high ?? value;
  return (
    <svg class="scale" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" x="0" y="2" width="100" height="2" />
      <rect class="band" x={from * 10} y="0.5" width={Math.max(0.5, (to - from) * 10)} height="5" />
      <rect class="at" x={value * 10 - 0.5} y="0" width="1" height="6" />
    </svg>
  );
}

function NoScore({ reason, ago }: { reason: string; ago: number | null }) {
  if (reason === STUDY_MODE) {
    return (
      <div class="score is-none">
        <p class="number">{STUDY.word}</p>
        <p class="why">{STUDY.first}</p>
      </div>
    );
  }
  const why = reason === "stale" && ago !== null ? `${TEXT.newestIs} ${span(ago)} ${TEXT.old}` : reasonInWords(reason);
  return (
    <div class="score is-none">
      <p class="number">{TEXT.noScore}</p>
      <p class="why">{reason ? why : TEXT.notKnown}</p>
    </div>
  );
}
