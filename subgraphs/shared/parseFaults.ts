/** A latency in milliseconds: fixed, or log-normal with this median and this 99th percentile. */
export type Latency = number | { readonly p50: number; readonly p99: number };

/** The faults of one target. Rates are from 0 to 1. The latency passes first, then the call hangs or fails. */
export interface Fault {
  readonly latency?: Latency;
  readonly errorRate?: number;
  readonly hangRate?: number;
}

export interface Faults {
  /** Equal seeds produce equal sequences of latencies, errors and hangs. */
  readonly seed?: number;
  /** Faults by target: `Type.field`, or `*` for every HTTP request to the subgraph. */
  readonly targets: Readonly<Record<string, Fault>>;
}

/** An invalid fault specification. The message is for its author. */
export class FaultSpecError extends Error {
  override name = 'FaultSpecError';
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rejectUnknownKeys(value: JsonObject, known: readonly string[], where: string): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new FaultSpecError(`${where}: unknown key "${key}"; known are ${known.join(', ')}`);
    }
  }
}

/** One hour. Timers fire at once if their delay exceeds 2^31 ms. */
const maxLatencyMs = 3_600_000;

function readMs(value: unknown, where: string): number {
  if (typeof value === 'number' && value >= 0 && value <= maxLatencyMs) return value;
  throw new FaultSpecError(`${where}: must be milliseconds from 0 to ${maxLatencyMs}`);
}

function readRate(value: unknown, where: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new FaultSpecError(`${where}: must be a rate from 0 to 1`);
}

function readLatency(value: unknown, where: string): Latency {
  if (!isObject(value)) return readMs(value, where);
  rejectUnknownKeys(value, ['p50', 'p99'], where);
  const p50 = readMs(value.p50, `${where}.p50`);
  const p99 = readMs(value.p99, `${where}.p99`);
  if (p50 === 0 || p99 < p50) throw new FaultSpecError(`${where}: needs 0 < p50 <= p99`);
  return { p50, p99 };
}

function readFault(value: unknown, target: string): Fault {
  if (!isObject(value)) {
    throw new FaultSpecError(`${target}: must be an object with latency, errorRate or hangRate`);
  }
  rejectUnknownKeys(value, ['latency', 'errorRate', 'hangRate'], target);
  return {
    ...(value.latency === undefined ? {} : { latency: readLatency(value.latency, `${target}.latency`) }),
    ...(value.errorRate === undefined ? {} : { errorRate: readRate(value.errorRate, `${target}.errorRate`) }),
    ...(value.hangRate === undefined ? {} : { hangRate: readRate(value.hangRate, `${target}.hangRate`) }),
  };
}

/** Validates faults from JSON, as `POST /faults` accepts them. @throws {FaultSpecError} */
export function readFaults(value: unknown): Faults {
  if (!isObject(value)) throw new FaultSpecError('Faults must be an object such as {"targets": {…}}');
  rejectUnknownKeys(value, ['seed', 'targets'], 'faults');
  const { seed, targets } = value;
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    throw new FaultSpecError('seed: must be a whole number');
  }
  if (!isObject(targets)) throw new FaultSpecError('targets: must be an object; {} ends all faults');
  const read = Object.entries(targets).map(([target, fault]) => [target, readFault(fault, target)] as const);
  return { ...(seed === undefined ? {} : { seed: seed as number }), targets: Object.fromEntries(read) };
}

function parseFaultText(text: string, target: string): JsonObject {
  const fault: Record<string, unknown> = {};
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const match = /^(latency|error|hang)(?::(\d+(?:\.\d+)?)(?:~(\d+(?:\.\d+)?))?)?$/.exec(part);
    const [, kind, first, second] = match ?? [];
    const isComplete = kind === 'latency' ? first !== undefined : second === undefined;
    if (kind === undefined || !isComplete) {
      throw new FaultSpecError(
        `${target}: cannot read "${part}"; write latency:1500, latency:40~900 (p50~p99), error:0.1 or hang`,
      );
    }
    if (kind === 'latency') {
      fault.latency = second === undefined ? Number(first) : { p50: Number(first), p99: Number(second) };
    } else {
      fault[`${kind}Rate`] = first === undefined ? 1 : Number(first);
    }
  }
  return fault;
}

/** Parses `Product.recommended=latency:1500; *=latency:40~900,error:0.05,hang:0.01; seed=7`. A missing rate is 1; an
 *  empty text has no faults. @throws {FaultSpecError} */
export function parseFaults(text: string): Faults {
  const targets: Record<string, unknown> = Object.create(null);
  let seed: number | undefined;
  for (const entry of text.split(';').map((piece) => piece.trim())) {
    if (entry === '') continue;
    const [target = '', spec, ...rest] = entry.split('=').map((piece) => piece.trim());
    if (target === '' || spec === undefined || rest.length > 0) {
      throw new FaultSpecError(`Cannot read "${entry}"; write Type.field=latency:1500 or *=error:0.1`);
    }
    if (target === 'seed') seed = Number(spec);
    else targets[target] = parseFaultText(spec, target);
  }
  return readFaults({ ...(seed === undefined ? {} : { seed }), targets });
}
