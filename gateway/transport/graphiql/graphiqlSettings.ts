/** Settings of the GraphiQL page, which are part of it. */
export interface GraphiqlSettings {
  /** The text of each prepared tab. */
  readonly tabs: readonly string[];
  /** Whether the gateway explains answers (`tributary-explain`). */
  readonly canExplain: boolean;
}
