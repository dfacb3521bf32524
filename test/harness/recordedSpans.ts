import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import { Changes } from './changes.ts';
import { printTraces, type TreeSpan } from './traceTrees.ts';

/** A tracer provider of an application that keeps the spans that have ended. */
export class RecordedSpans {
  readonly tracerProvider: TracerProvider;
  #spans: ReadableSpan[] = [];
  readonly #ends = new Changes();

  constructor() {
    this.tracerProvider = new TracerProvider({
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: (span) => this.#add(span),
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      ],
    });
  }

  /** Returns the trees of the spans since the last call. */
  take(): readonly string[] {
    const spans = this.#spans.sort((a, b) => compareTimes(a.startTime, b.startTime));
    this.#spans = [];
    return printTraces(spans.map(toTreeSpan));
  }

  /** Resolves when so many spans of this name have ended since the last `take`. */
  waitFor(name: string, count = 1): Promise<void> {
    return this.#ends.until(() => this.#spans.filter((span) => span.name === name).length >= count);
  }

  #add(span: ReadableSpan): void {
    this.#spans.push(span);
    this.#ends.notify();
  }
}

function compareTimes(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

function toTreeSpan(span: ReadableSpan): TreeSpan {
  return {
    name: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? '',
    attributes: span.attributes,
    links: span.links.map(({ context }) => context),
    isError: span.status.code === SpanStatusCode.ERROR,
  };
}
