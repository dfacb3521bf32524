import { type DocumentNode, Kind, visit } from 'graphql';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ConsumerOperation, Contracts } from '../contractStore.ts';
import { checkFetch } from './checkFetch.ts';
import type { ContractGraph } from './composeGraph.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import { fetchTargetOf } from './fetchTargetOf.ts';
import { findChangedInputs, requiringFieldsOf } from './findChangedInputs.ts';
import type { PlannedFetch, PlannedRequest } from './flattenPlan.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import { type SupergraphMetadata, supergraphMetadataOf } from './supergraphMetadata.ts';

/** Subgraphs that need not compose. */
export type RunningSubgraphs = ContractGraph | { readonly contracts: Contracts };

/** Checks plans for one graph against the subgraphs of another. */
export class CrossVersionPlanCheck {
  readonly #planned: ContractGraph;
  readonly #running: RunningSubgraphs;
  // By the document, which equal requests share.
  readonly #requestProblems = new Map<DocumentNode, readonly FetchProblem[]>();
  readonly #requiringFields = new Map<DocumentNode, readonly string[]>();
  /** By the target, and by the subgraph and the coordinate of a field with `@requires`. */
  readonly #changedInputs = new Map<string, readonly FetchProblem[]>();

  constructor(planned: ContractGraph, running: RunningSubgraphs) {
    this.#planned = planned;
    this.#running = running;
  }

  /** `fetches`: all fetches of the plans of an operation. Returns the problems with one subgraph. */
  check(
    fetches: readonly PlannedFetch[],
    subgraph: string,
    { document }: Pick<ConsumerOperation, 'document'>,
  ): readonly FetchProblem[] {
    const sent = fetches.filter((fetch) => fetch.subgraph === subgraph);
    if (sent.length === 0) return [];
    const target = this.#targetOf(subgraph);
    if (target === undefined) {
      const message = `there is no subgraph "${subgraph}"`;
      return [{ kind: 'no subgraph', isCertain: true, message, coordinates: [] }];
    }
    const planned = supergraphMetadataOf(this.#planned);
    const problems = [
      ...sent.flatMap((fetch) =>
        getOrInsertComputed(this.#requestProblems, fetch.document, () => checkFetch(fetch, planned, target)),
      ),
      ...fetches.flatMap((fetch) => this.#findChangedInputs(fetch, planned, target)),
    ];
    const own = problems.filter(
      ({ kind, coordinates }) =>
        kind !== 'unselected type' || coordinates.some((name) => selectsFrom(document, name)),
    );
    return [...new Map(own.map((problem) => [problem.message, problem])).values()];
  }

  /** Finds what a request to another subgraph passes on from this one. */
  #findChangedInputs(
    { subgraph, document }: PlannedRequest,
    planned: SupergraphMetadata,
    target: FetchTarget,
  ): readonly FetchProblem[] {
    const contract = this.#planned.contracts.get(subgraph);
    const metadata = planned.subgraphs.get(subgraph);
    if (subgraph === target.name || contract === undefined || metadata === undefined) return [];
    const schema = subgraphSchemaOf(contract);
    const coordinates = getOrInsertComputed(this.#requiringFields, document, () =>
      requiringFieldsOf(document, schema, metadata),
    );
    return coordinates.flatMap((coordinate) =>
      getOrInsertComputed(this.#changedInputs, JSON.stringify([target.name, subgraph, coordinate]), () => {
        const requires = metadata.fields.get(coordinate)?.requires;
        return requires === undefined
          ? []
          : findChangedInputs({ subgraph, schema, coordinate, requires }, planned, target);
      }),
    );
  }

  #targetOf(name: string): FetchTarget | undefined {
    const contract = this.#running.contracts.get(name);
    if (contract === undefined) return undefined;
    if (!('sdl' in this.#running)) return fetchTargetOf(contract);
    const metadata = supergraphMetadataOf(this.#running).subgraphs.get(name);
    return metadata && { name, schema: subgraphSchemaOf(contract), metadata };
  }
}

/** Whether a document has a fragment on a type. */
function selectsFrom(document: DocumentNode, typeName: string): boolean {
  let isNamed = false;
  visit(document, {
    [Kind.NAMED_TYPE]: ({ name }) => {
      isNamed ||= name.value === typeName;
    },
  });
  return isNamed;
}

/** Names of the subgraphs that differ. */
export function changedSubgraphs(old: Contracts, next: Contracts): readonly string[] {
  const names = new Set([...old.keys(), ...next.keys()]);
  return [...names].filter((name) => old.get(name)?.sdl !== next.get(name)?.sdl);
}
