/** What the gateway tells its GraphiQL page. */
export interface GraphiqlSettings {
  /** The text of each prepared tab. */
  readonly tabs: readonly string[];
  /** Whether the gateway explains answers (`tributary-explain`). */
  readonly canExplain: boolean;
}
