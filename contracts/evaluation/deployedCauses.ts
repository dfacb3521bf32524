import { print } from 'graphql';
import type { Contracts } from '../contractStore.ts';
import { readCanonicalSubgraph } from '../diff/canonicalSubgraph.ts';
import { ancestorsOf, elementsOf } from '../diff/elements.ts';
import type { Finding } from '../finding.ts';
import { changedSubgraphs } from '../graph/crossVersionPlanCheck.ts';
import type { Breakage } from './breakage.ts';
import { addSentence } from './operationFindings.ts';

/** The subgraphs of an environment that run in other versions than its gateways were composed from, and that a change
 *  leaves as they are. */
export class DeployedCauses {
  readonly #gateway: Contracts;
  readonly #running: Contracts;
  readonly #names: readonly string[];

  constructor(gateway: Contracts, running: Contracts, next: Contracts) {
    const replaced = new Set(changedSubgraphs(running, next));
    this.#gateway = gateway;
    this.#running = running;
    this.#names = changedSubgraphs(gateway, running).filter((name) => !replaced.has(name));
  }

  /** Marks a finding about breakages that no change explains as caused by these subgraphs; `undefined` when they do not
   *  cause all of them. */
  mark(finding: Finding, breakages: readonly Breakage[]): Finding | undefined {
    const causes = breakages.map((breakage) => this.#causesOf(breakage));
    if (causes.some(({ length }) => length === 0)) return undefined;
    const names = [...new Set(causes.flat())].map((name) => `"${name}"`).join(', ');
    return {
      ...finding,
      severity: 'dangerous',
      message: addSentence(
        finding.message,
        `This change does not cause it: the running version of ${names} is not the one that the gateways' supergraph was composed from.`,
      ),
      advice: `Finish the rollout of ${names}: publish a supergraph that is composed with what runs, or deploy the earlier version again.`,
    };
  }

  #causesOf({ subgraph, coordinates }: Breakage): readonly string[] {
    if (subgraph !== undefined) return this.#names.filter((name) => name === subgraph);
    return this.#names.filter((name) => coordinates.some((coordinate) => this.#differsAt(name, coordinate)));
  }

  #differsAt(name: string, coordinate: string): boolean {
    const [before, after] = [this.#gateway, this.#running].map((contracts) => {
      const sdl = contracts.get(name)?.sdl;
      const elements = sdl === undefined ? undefined : elementsOf(readCanonicalSubgraph(sdl));
      const element = [coordinate, ...ancestorsOf(coordinate)]
        .map((part) => elements?.get(part))
        .find(Boolean);
      return element && print(element);
    });
    return before !== after;
  }
}
