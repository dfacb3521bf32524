/** An error or hint of composition. */
export interface CompositionDiagnostic {
  /** The composer's code, for example `INVALID_FIELD_SHARING`. */
  readonly code: string;
  readonly message: string;
  /** Schema coordinate that the diagnostic is about, for example `Product.price`. */
  readonly coordinate?: string;
  readonly locations: readonly SubgraphLocation[];
}

interface SubgraphLocation {
  readonly subgraph: string;
  readonly line: number;
  readonly column: number;
}

interface SubgraphNode {
  readonly subgraph?: string;
  readonly loc?: { readonly startToken: { readonly line: number; readonly column: number } } | undefined;
}

/** Locations of AST nodes with the name of their subgraph, such as the composer's. */
export function locationsOf(nodes: readonly SubgraphNode[] | undefined): SubgraphLocation[] {
  return (nodes ?? []).flatMap(({ subgraph, loc }) =>
    subgraph === undefined || loc === undefined
      ? []
      : [{ subgraph, line: loc.startToken.line, column: loc.startToken.column }],
  );
}
