const minLimit = 4;
/** A mean latency of up to this multiple of the long-term latency counts as normal. */
const tolerance = 1.5;
/** A rise of the mean latency by this many milliseconds counts as normal, too. */
const slackMs = 10;
/** With a busier event loop, the gateway itself makes calls slow: a smaller limit would make them no faster, and the
 *  gateway would wait for nothing. From 0 to 1. */
const maxUtilization = 0.7;
/** How much of each lower estimate is taken over. */
const smoothing = 0.2;
/** A window ends after this time, when it has enough samples. */
const windowMs = 100;
const minSamples = 10;
/** The long-term latency is an exponential average over about this many windows. */
const longWindows = 600;
/** The limit after a response that says that the subgraph is overloaded, as a part of the limit before. */
const backoffRatio = 0.9;

/** A limit of concurrent calls that follows the latency of a subgraph: the gradient algorithm "Gradient2" of Netflix
 *  (github.com/Netflix/concurrency-limits). Each window compares its mean latency with the long-term one. While the
 *  latency stays normal the limit grows by the square root of itself; when it rises, calls queue up in the subgraph, and
 *  the limit shrinks by the same ratio, at most by half. Windows in which less than half of the limit was used change
 *  nothing, because they say nothing about it; so do windows in which the event loop of the gateway was busy. A response
 *  with status 429 or 503 lowers the limit at once, at most once per window. */
export class AdaptiveLimit {
  readonly #readUtilization: () => number;
  readonly #max: number;
  #limit: number;
  #longLatency: number | undefined;
  #windowEndsAt: number;
  #samples = 0;
  #latencySum = 0;
  #maxRunning = 0;
  #hasBackedOff = false;

  /** Starts at `max`, and never exceeds it. `startedAt`: milliseconds, like each `now`. `readUtilization`: of the event loop
   *  since its last call, from 0 to 1. */
  constructor(max: number, startedAt: number, readUtilization: () => number) {
    this.#max = max;
    this.#limit = max;
    this.#readUtilization = readUtilization;
    this.#windowEndsAt = startedAt + windowMs;
  }

  /** Whole calls. */
  get current(): number {
    return Math.floor(this.#limit);
  }

  /** A call ended with a response. `running`: how many calls were under way, this one included. Returns true if the limit
   *  has changed. */
  onResponse(latencyMs: number, running: number, now: number): boolean {
    this.#samples += 1;
    this.#latencySum += latencyMs;
    this.#maxRunning = Math.max(this.#maxRunning, running);
    if (this.#samples < minSamples || now < this.#windowEndsAt) return false;
    return this.#endWindow(now);
  }

  /** The subgraph said that it is overloaded, or did not respond in time. Returns true if the limit has changed. */
  onOverload(now: number): boolean {
    if (this.#hasBackedOff && now < this.#windowEndsAt) return false;
    this.#startWindow(now);
    this.#hasBackedOff = true;
    return this.#set(this.#limit * backoffRatio);
  }

  #endWindow(now: number): boolean {
    const latency = this.#latencySum / this.#samples;
    const maxRunning = this.#maxRunning;
    const utilization = this.#readUtilization();
    this.#startWindow(now);
    if (utilization > maxUtilization) return false;
    const long = this.#longLatency ?? latency;
    // After a long overload the long-term latency is too high: let it fall quickly.
    const decayed = long > 2 * latency ? long * 0.95 : long;
    this.#longLatency = decayed + (latency - decayed) / longWindows;
    if (maxRunning < this.#limit / 2) return false;
    const gradient = Math.max(0.5, Math.min(1, (tolerance * this.#longLatency + slackMs) / latency));
    const room = Math.sqrt(this.#limit);
    if (gradient === 1) return this.#set(this.#limit + room);
    return this.#set(this.#limit + (this.#limit * gradient + room - this.#limit) * smoothing);
  }

  #startWindow(now: number): void {
    this.#windowEndsAt = now + windowMs;
    this.#samples = 0;
    this.#latencySum = 0;
    this.#maxRunning = 0;
    this.#hasBackedOff = false;
  }

  #set(limit: number): boolean {
    const before = this.current;
    this.#limit = Math.min(this.#max, Math.max(Math.min(minLimit, this.#max), limit));
    return this.current !== before;
  }
}
