// Server-sent events (WHATWG HTML, 9.2) out of a stream of text, however it is cut.

export interface ServerEvent {
  type: string;
  data: string;
}

/** Takes pieces of the stream; returns the events that each one completes. */
export class EventReader {
  private rest = "";
  private type = "";
  private data: string[] = [];

  take(piece: string): ServerEvent[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): ServerEvent[] {
    if (line === "") return this.finished();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.type = value;
    if (name === "data") this.data.push(value);
    return [];
  }

  private finished(): ServerEvent[] {
    const event = { type: this.type || "message", data: this.data.join("\n") };
    const isEvent = this.type !== "" || this.data.length > 0;
    this.type = "";
    this.data = [];
    return isEvent ? [event] : [];
  }
}
