// Every text of the page, in English. What is said of numbers stands beside the number's own file.

export const TEXT = {
  investigational: "Investigational software",
  investigationalLong: "Investigational software. A score is a suggestion to be verified by a nurse. No alarm.",
  scoreNow: "Score now",
  skip: "Skip to the beds",
  skipBed: "Skip to the bed",
  ward: "Ward",
  back: "All beds",
  bed: "Bed",
  ofTen: "of 10",
  nips: "NIPS",
  interval: "90 % interval",
  noScore: "No score",
  held: "Bed is held",
  heldMore: "It is not sure whose values these are, so none are shown.",
  empty: "Empty",
  noBeds: "No infant is in a bed of this ward.",
  loading: "Reading the ward",
  unknownBed: "Nobody is known to be in this bed.",
  test: "Test data",
  simulated: "Weights trained on simulated infants only",
  untrained: "Untrained weights: the value says nothing about the infant",
  unlike: "Unlike what the model was trained on",
  lastHour: "Last hour",
  reading: "reading",
  present: "present",
  absent: "absent",
  notKnown: "nothing was scored yet",
  newestIs: "the newest is",
  old: "old",
  oldNumber: "Old number",
  charted: "charted",
  sourceOther: "Charted values only: this server has no live scores",
} as const;

export const MODALITY: Record<string, string> = {
  face: "Face",
  cry: "Cry",
  physiology: "Vitals",
  movement: "Movement",
};

export const LEVEL_WORD = { low: "Low", mild: "Mild", moderate: "Moderate", severe: "Severe" } as const;

// Why a number or a modality is not there, in words of the ward; a word that is not here is shown as it came.
const REASON: Record<string, string> = {
  "no-camera": "no camera",
  "no-microphone": "no microphone",
  "no-monitor": "no monitor",
  "media-away": "pictures and sound not available",
  "clock-unusable": "clock is wrong",
  "invalid-values": "values not valid",
  "too-little-data": "too little data",
  stale: "too old",
  "no-modality-present": "nothing to go by",
  "too-late": "scored too late",
  "triton-unavailable": "scoring is not available",
  "unreadable-items": "data not readable",
  "neuromuscular-block": "neuromuscular block in effect",
  "sedative-in-effect": "a sedative is in effect",
  "deep-sedation": "deep sedation",
  "sound-silent": "silent",
  "sound-clipped": "too loud",
};

export function reasonInWords(word: string): string {
  return REASON[word] ?? word.replaceAll("-", " ");
}

export const LINK = {
  lost: "Connection lost",
  since: "since",
  numbers: "What you see is old. Look at the infant and the monitor.",
  again: "Trying again",
  back: "Connected again",
  offline: "this device is offline",
  silent: "nothing heard from the server",
  ended: "the server ended the stream",
  unreachable: "the server cannot be reached",
  starting: "Connecting",
} as const;

export const SESSION = {
  ended: "You are signed out",
  why: "The session has ended. Nothing is shown until you sign in again.",
  signIn: "Sign in",
  signOut: "Sign out",
  readOnly: "Reading only",
} as const;

export const ALERT = {
  notice: "Notice, no alarm",
  notAnswered: "not answered",
  acknowledged: "acknowledged",
  snoozed: "snoozed until",
  sustained: "sustained",
  escalated: "escalated",
  acknowledge: "Acknowledge",
  snooze: "Snooze",
  minutes: "min",
  snoozeTitle: "Snooze this notice",
  opened: "Notice",
} as const;

export const COURSE = {
  title: "Course",
  hours: "h",
  range: "Time shown",
  readingBack: "reading back to",
  score: "Score",
  low: "5 %",
  high: "95 %",
  "heart-rate": "Heart rate",
  spo2: "SpO₂",
  respiration: "Respiration",
  movement: "Movement",
  none: "no values",
  cursor: "Arrow keys move the cursor along the plots.",
} as const;

export const ENTRY = {
  title: "Charted entries",
  none: "No entry yet.",
  older: "Show older ones",
  time: "Time",
  score: "Score",
  state: "State",
  by: "By whom",
  accept: "Accept",
  change: "Change",
  reject: "Reject",
  cancel: "Cancel",
  software: "neopain",
  total: "Total",
  reason: "Reason",
  reasonMay: "Reason (may be left out)",
  reasonNeeded: "A rejection needs a reason.",
  itemsNeeded: "Every item needs a number.",
  done: "Written.",
  conflict: "Somebody changed this entry meanwhile. It was read again: look at it, then decide.",
  failed: "Not written:",
  acceptTitle: "Accept this score?",
  changeTitle: "Change this score",
  rejectTitle: "Reject this score",
  seen: "You saw",
  confirm: "Confirm",
  nurseScore: "NIPS scored by a nurse",
} as const;

export const STUDY = {
  word: "Study",
  first: "enter your own score first",
  title: "Your own score",
  how: "Score NIPS at the bedside now. It is kept beside the score of software of the same minute, for a study; chart it in the record as you always do.",
  keep: "Keep my score",
  kept: "Kept for a study",
  done: "Kept. What may be shown of it is below.",
} as const;

const STATE: Record<string, string> = {
  preliminary: "To be verified",
  final: "Accepted",
  amended: "Amended",
  cancelled: "Withdrawn",
  "entered-in-error": "Rejected",
};

/** What an entry stands at. One that is cancelled by a review has a nurse's score in its place; another is not sent. */
export function stateInWords(status: string, cause: string): string {
  if (status === "cancelled" && cause === "review") return "Replaced";
  return STATE[status] ?? status;
}

export const NIPS_ITEM = {
  "nips-facial-expression": "Facial expression",
  "nips-cry": "Cry",
  "nips-breathing": "Breathing",
  "nips-arms": "Arms",
  "nips-legs": "Legs",
  "nips-arousal": "Arousal",
} as const;

export const THEME = { label: "Colours", system: "System", light: "Light", dark: "Dark", night: "Night" } as const;

/** How long ago, for a person: `8 s`, `3 min`, `2 h 5 min`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${Math.floor(minutes / 60)} h`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const CLOCK_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const DAY_AND_YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export function clock(ms: number): string {
  return CLOCK.format(ms);
}

export function clockSeconds(ms: number): string {
  return CLOCK_SECONDS.format(ms);
}

/** The day where it is not today's, with its year where that is not this one. */
export function dayUnlessToday(ms: number, now: number): string {
  const day = DAY_AND_YEAR.format(ms);
  if (day === DAY_AND_YEAR.format(now)) return "";
  return new Date(ms).getFullYear() === new Date(now).getFullYear() ? DAY.format(ms) : day;
}

/** The time of day, behind its day where that is not today's. */
export function dayAndClock(ms: number, now: number): string {
  return `${dayUnlessToday(ms, now)} ${clock(ms)}`.trim();
}
