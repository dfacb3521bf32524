import {
  defaultFieldResolver,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  isObjectType,
} from 'graphql';
import { type FaultClock, systemFaultClock, waitForAbort } from './faultClock.ts';
import { type Fault, FaultSpecError, type Faults, type Latency } from './parseFaults.ts';
import { createRandom, type Random } from './random.ts';

type Field = GraphQLField<unknown, { readonly signal: AbortSignal }>;

export interface FaultInjector {
  readonly faults: Faults;
  /** Replaces all faults. Calls that wait or hang because of the former faults continue. @throws {FaultSpecError} if a
   *  target does not exist; the former faults then stay. */
  replace(faults: Faults): void;
  /** Applies the fault of `*` to a request: waits, hangs until the signal aborts, or throws. */
  applyToRequest(signal: AbortSignal): Promise<void>;
}

const wholeSubgraph = '*';
/** The distance of the 99th percentile of a normal distribution from its mean, in standard deviations. */
const deviationsToP99 = 2.3263;

/** Injects faults by replacing the resolvers of fields, so that a field without faults costs nothing. */
export function createFaultInjector(
  schema: GraphQLSchema,
  clock: FaultClock = systemFaultClock,
): FaultInjector {
  let current: Faults = { targets: {} };
  let replaced = new AbortController();
  let passWhole: ((signal: AbortSignal) => Promise<void>) | null = null;
  const originals = new Map<Field, Field['resolve']>();

  function replace(faults: Faults): void {
    const fields = Object.keys(faults.targets)
      .filter((target) => target !== wholeSubgraph)
      .map((target) => [target, findField(schema, target)] as const);

    for (const [field, resolve] of originals) {
      if (resolve === undefined) delete field.resolve;
      else field.resolve = resolve;
    }
    originals.clear();
    current = faults;
    replaced.abort();
    replaced = new AbortController();
    const { signal: nextReplaced } = replaced;

    const passFor = (target: string) =>
      createFaultStep(faults.targets[target] ?? {}, faults.seed ?? 1, target, clock, nextReplaced);
    passWhole = wholeSubgraph in faults.targets ? passFor(wholeSubgraph) : null;
    for (const [target, field] of fields) {
      originals.set(field, field.resolve);
      const resolve = field.resolve ?? defaultFieldResolver;
      const pass = passFor(target);
      field.resolve = async (parent, args, context, info) => {
        await pass(context.signal);
        return resolve(parent, args, context, info);
      };
    }
  }

  return {
    replace,
    get faults() {
      return current;
    },
    async applyToRequest(signal) {
      await passWhole?.(signal);
    },
  };
}

function findField(schema: GraphQLSchema, target: string): Field {
  const [typeName = '', fieldName = ''] = target.split('.');
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  if (field === undefined) {
    throw new FaultSpecError(`${target}: this subgraph has no such field; name a Type.field of it, or *`);
  }
  return field as Field;
}

/** `replaced` aborts when the fault is no longer active. */
function createFaultStep(
  fault: Fault,
  seed: number,
  target: string,
  clock: FaultClock,
  replaced: AbortSignal,
) {
  // Each target has its own sequence, so that the draws of one field do not shift those of another.
  const random = createRandom([...target].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), seed) | 0);
  const { latency, errorRate = 0, hangRate = 0 } = fault;
  return async (signal: AbortSignal): Promise<void> => {
    // Draws all three values at each call, so that a changed rate leaves the other draws unchanged.
    const latencyMs = latency === undefined ? 0 : drawLatencyMs(latency, random);
    const isHanging = random.chance(hangRate);
    const isFailing = random.chance(errorRate);
    if (latencyMs > 0 || isHanging) {
      try {
        const either = AbortSignal.any([signal, replaced]);
        if (latencyMs > 0) await clock.sleep(latencyMs, either);
        if (isHanging) await waitForAbort(either);
      } catch (error) {
        if (signal.aborted || !replaced.aborted) throw error;
        return;
      }
    }
    if (isFailing) {
      throw new GraphQLError(`Injected fault at ${target}`, { extensions: { code: 'INJECTED_FAULT' } });
    }
  };
}

function drawLatencyMs(latency: Latency, random: Random): number {
  if (typeof latency === 'number') return latency;
  // Box-Muller transform: two uniform numbers make a normal one. `1 -` avoids the logarithm of zero.
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const deviation = Math.log(latency.p99 / latency.p50) / deviationsToP99;
  return latency.p50 * Math.exp(normal * deviation);
}
