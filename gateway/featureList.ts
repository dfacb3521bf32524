import type { Feature } from './feature.ts';

/** The features of a gateway that is being assembled. */
export class FeatureList {
  readonly #added: Feature[] = [];
  readonly #opened = new Set<Feature>();

  /** Those that were added, in their order. Complete before the first supergraph is loaded. */
  get features(): readonly Feature[] {
    return this.#added;
  }

  /** Adds a feature after all others. Returns it. */
  add<Added extends Feature | undefined>(feature: Added): Added {
    if (feature !== undefined) this.#added.push(feature);
    return this.open(feature);
  }

  /** Remembers a feature that is not added yet, because its place in the order is further behind. Returns it. */
  open<Opened extends Feature | undefined>(feature: Opened): Opened {
    if (feature !== undefined) this.#opened.add(feature);
    return feature;
  }

  /** Closes all features, because the gateway could not be assembled. Failures are ignored: its error says what is wrong. */
  async discard(): Promise<void> {
    for (const feature of [...this.#opened].toReversed()) {
      await Promise.allSettled([feature.stop?.(0)]);
      await Promise.allSettled([feature.close?.(0)]);
    }
  }
}
