import { type DocumentNode, Kind, visit } from 'graphql';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ConsumerOperation, Contracts } from '../contractStore.ts';
import { checkFetch } from './checkFetch.ts';
import type { ContractGraph } from './composeGraph.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import { fetchTargetOf } from './fetchTargetOf.ts';
import { findChangedInputs, listChangedDefaults, listNullableInputs } from './findChangedInputs.ts';
import type { PlannedFetch } from './flattenPlan.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** Subgraphs that need not compose. */
export type RunningSubgraphs = ContractGraph | { readonly contracts: Contracts };

/** Checks plans for one graph against the subgraphs of another. */
export class CrossVersionPlanCheck {
  readonly #planned: ContractGraph;
  readonly #running: RunningSubgraphs;
  readonly #targets = new Map<string, FetchTarget | undefined>();
  readonly #changedInputs = new Map<FetchTarget, Record<'defaults' | 'nullable', ReadonlySet<string>>>();

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
      ...sent.flatMap((fetch) => checkFetch(fetch, planned, target)),
      ...findChangedInputs(
        fetches,
        planned,
        { target: subgraph, ...this.#changedInputsOf(target) },
        (name) => {
          const contract = this.#planned.contracts.get(name);
          return contract && subgraphSchemaOf(contract);
        },
      ),
    ];
    const own = problems.filter(
      ({ kind, coordinates }) =>
        kind !== 'unselected type' || coordinates.some((name) => selectsFrom(document, name)),
    );
    return [...new Map(own.map((problem) => [problem.message, problem])).values()];
  }

  #changedInputsOf(target: FetchTarget) {
    return getOrInsertComputed(this.#changedInputs, target, () => {
      const { schema, subgraphs } = supergraphMetadataOf(this.#planned);
      const requiring = [...this.#planned.contracts.values()].filter(
        ({ name }) =>
          name !== target.name &&
          subgraphs
            .get(name)
            ?.fields.values()
            .some(({ requires }) => requires !== undefined),
      );
      return {
        defaults: listChangedDefaults(schema, target),
        nullable: listNullableInputs(
          target,
          requiring.map((contract) => [contract.name, subgraphSchemaOf(contract)] as const),
        ),
      };
    });
  }

  #targetOf(name: string): FetchTarget | undefined {
    if (!this.#targets.has(name)) this.#targets.set(name, this.#createTarget(name));
    return this.#targets.get(name);
  }

  #createTarget(name: string): FetchTarget | undefined {
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
