// Reads that are wanted: each kind runs once at a time, and once more if it was wanted again meanwhile.

const GATHER_MS = 50;

export type Chore = "places" | "scores" | "alerts" | "trend" | "course" | "entries";

export class Chores {
  /** Rejects with the first failure; nothing runs any more then. */
  readonly failure: Promise<never>;
  private fail: (error: unknown) => void = () => {};
  private readonly waiting = new Map<Chore, Promise<void>>();
  private readonly running = new Map<Chore, Promise<void>>();
  private isStopped = false;

  constructor(private readonly work: Record<Chore, () => Promise<void>>) {
    this.failure = new Promise((_, reject) => {
      this.fail = reject;
    });
    this.failure.catch(() => {});
  }

  /** Resolves once each was read after now; never where that failed, or where it was stopped. */
  async want(...kinds: Chore[]): Promise<void> {
    await Promise.all(kinds.map((kind) => this.one(kind)));
  }

  stop(): void {
    this.isStopped = true;
  }

  private one(kind: Chore): Promise<void> {
    const waiting = this.waiting.get(kind);
    if (waiting !== undefined) return waiting;
    const before = this.running.get(kind);
    const done = Promise.all([before, delay(GATHER_MS)]).then(() => this.begin(kind));
    this.waiting.set(kind, done);
    return done;
  }

  private begin(kind: Chore): Promise<void> {
    this.waiting.delete(kind);
    if (this.isStopped) return never();
    const done = this.work[kind]().then(
      () => {
        this.running.delete(kind);
      },
      (error: unknown) => {
        this.isStopped = true;
        this.fail(error);
        return never();
      },
    );
    this.running.set(kind, done);
    return done;
  }
}

function never(): Promise<void> {
  return new Promise(() => {});
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
