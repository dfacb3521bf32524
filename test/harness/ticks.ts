import { buildSchema, type GraphQLSchema } from 'graphql';
import { Changes } from './changes.ts';

/** Events that a test pushes one by one to all subscribers. */
export class Ticks {
  readonly #listeners = new Set<(step: TickEvent) => void>();
  readonly #changes = new Changes();

  /** Resolves when there are exactly this many subscribers. */
  waitForListeners(count: number): Promise<void> {
    return this.#changes.until(() => this.#listeners.size === count);
  }

  push(tick: number | string): void {
    for (const listener of this.#listeners) listener({ tick });
  }

  end(): void {
    for (const listener of this.#listeners) listener('end');
  }

  fail(message: string): void {
    for (const listener of this.#listeners) listener(new Error(message));
  }

  listen(): AsyncIterableIterator<{ tick: number | string }> {
    const steps: TickEvent[] = [];
    let wake: (() => void) | undefined;
    const listener = (step: TickEvent): void => {
      steps.push(step);
      wake?.();
    };
    const leave = (): void => {
      this.#listeners.delete(listener);
      listener('end');
      this.#changes.notify();
    };
    this.#listeners.add(listener);
    this.#changes.notify();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        while (steps.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const step = steps.shift() as TickEvent;
        if (step !== 'end' && !(step instanceof Error)) return { done: false, value: step };
        leave();
        if (step instanceof Error) throw step;
        return { done: true, value: undefined };
      },
      async return() {
        leave();
        return { done: true, value: undefined };
      },
    };
  }
}

type TickEvent = { tick: number | string } | 'end' | Error;

/** `subscription { tick }` delivers the pushed events; `{ broken }` fails in every event; `{ hello }` is a query. */
export function createTickSchema(ticks: Ticks): GraphQLSchema {
  const schema = buildSchema(`
    type Query { hello: String }
    type Subscription { tick(only: String): String broken: String }
  `);
  const { tick, broken } = schema.getSubscriptionType()?.getFields() ?? {};
  if (tick !== undefined) tick.subscribe = () => ticks.listen();
  if (broken !== undefined) {
    broken.subscribe = () => ticks.listen();
    broken.resolve = () => {
      throw new Error('broken field');
    };
  }
  return schema;
}
