/** A recorded span, as far as trees show it. */
export interface TreeSpan {
  readonly name: string;
  readonly kind: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly spanId: string }[];
  readonly isError: boolean;
}

/** Attributes that are different each time. */
const variable = new Set(['server.port', 'tributary.request_id', 'tributary.enrichment.job']);

/** Prints spans as trees in the order of their starts: name, kind unless internal, attributes, and `-> name` for each link.
 *  A root whose parent was recorded elsewhere begins with the parent's id. */
export function printTraces(spans: readonly TreeSpan[]): readonly string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const print = (span: TreeSpan, depth: number): string[] => [
    '  '.repeat(depth) + describe(span, byId),
    ...spans
      .filter((child) => child.parentSpanId === span.spanId)
      .flatMap((child) => print(child, depth + 1)),
  ];
  return spans.filter(({ parentSpanId }) => !byId.has(parentSpanId)).flatMap((root) => print(root, 0));
}

function describe(span: TreeSpan, byId: ReadonlyMap<string, TreeSpan>): string {
  const isRemote = span.parentSpanId !== '' && !byId.has(span.parentSpanId);
  const attributes = Object.entries(span.attributes).map(
    ([name, value]) => `${name}=${variable.has(name) ? '*' : String(value)}`,
  );
  return [
    ...(isRemote ? [`${span.parentSpanId}:`] : []),
    span.name,
    ...(span.kind === 'internal' ? [] : [span.kind]),
    ...attributes.sort(),
    ...(span.isError ? ['ERROR'] : []),
    ...span.links.map(({ spanId }) => `-> ${byId.get(spanId)?.name ?? spanId}`),
  ].join(' ');
}
