import { parseConfig } from '../../config/parseConfig.ts';
import { planningLimits } from '../../planning/planningLimits.ts';
import { composeInThread } from '../../supergraph/composeInThread.ts';
import type { CompositionNote, CompositionResult } from '../../supergraph/composeSupergraph.ts';
import { loadSupergraph } from '../../supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { startOf } from '../diff/coordinates.ts';
import type { Finding, Place } from '../finding.ts';
import { notToBeWaived } from '../unwaivable.ts';
import { placeByWords, quotedIn } from './placeByWords.ts';
import { placeOfDefinition, placeOfDirective } from './placeInContract.ts';

/** Contracts that make one supergraph, with what is made from them. */
export interface ContractGraph {
  readonly contracts: ReadonlyMap<string, SubgraphContract>;
  /** The supergraph. */
  readonly sdl: string;
  readonly hints: readonly CompositionNote[];
  /** Whoever has the graph closes its planner. */
  readonly supergraph: Supergraph;
}

export type ComposedGraph =
  | { readonly graph: ContractGraph }
  /** Why there is none; not empty. */
  | { readonly findings: readonly Finding[] };

/** What the composer makes of contracts: a supergraph, not loaded yet. */
export type ComposedContracts =
  | Pick<ContractGraph, 'sdl' | 'hints'>
  /** Why there is none; not empty. */
  | { readonly findings: readonly Finding[] };

/** Composes and loads what the contracts say, as a gateway would. Never rejects for a mistake in a contract: a
 *  composition error is the finding `composition-error`, a supergraph that the gateway does not load
 *  `supergraph-refused`. */
export async function composeGraph(contracts: ReadonlyMap<string, SubgraphContract>): Promise<ComposedGraph> {
  return loadGraph(contracts, await composeContracts(contracts));
}

/** The first half of `composeGraph`. Composing a small graph blocks the thread. */
export async function composeContracts(
  contracts: ReadonlyMap<string, SubgraphContract>,
  compose: (subgraphs: readonly SubgraphContract[]) => Promise<CompositionResult> = composeInThread,
): Promise<ComposedContracts> {
  if (contracts.size === 0) return { findings: [refusal('There is no subgraph to compose.', contracts)] };
  const composed = await compose([...contracts.values()]);
  if ('sdl' in composed) return composed;
  return { findings: composed.errors.map((note) => errorFinding(note, contracts)) };
}

/** The second half of `composeGraph`: from here on the planner's thread holds the supergraph. `load`: rejects with
 *  `SupergraphRefusedError` for one that a gateway does not take. */
export async function loadGraph(
  contracts: ReadonlyMap<string, SubgraphContract>,
  composed: ComposedContracts,
  load: (sdl: string) => Promise<Supergraph> = (sdl) => loadSupergraph({ sdl, planning }),
): Promise<ComposedGraph> {
  if ('findings' in composed) return composed;
  try {
    const supergraph = await load(composed.sdl);
    return { graph: { contracts, ...composed, supergraph } };
  } catch (error) {
    if (!(error instanceof SupergraphRefusedError)) throw error;
    return { findings: [refusal(error.message, contracts)] };
  }
}

/** A check may wait longer than a client: whether an operation can be planned must not hang on how busy the machine
 *  is that checks. */
export const planning = {
  ...planningLimits(parseConfig({ supergraph: { file: 'composed' } }).planning),
  timeoutMs: 30_000,
};

/** Hints that the composer gives for the candidate and did not give before, as findings `composition-hint`. Where
 *  a hint stands does not count: lines move. */
export function newHints(
  old: Pick<ContractGraph, 'hints'> | undefined,
  next: Pick<ContractGraph, 'hints' | 'contracts'>,
): readonly Finding[] {
  const known = new Set(old?.hints.map(identityOf));
  return next.hints
    .filter((note) => !known.has(identityOf(note)))
    .map((note) => ({
      rule: 'composition-hint',
      severity: 'dangerous',
      ...named(note, described(note, next.contracts)),
      advice: 'See whether the subgraphs mean the same here; where the hint is right, make them agree.',
    }));
}

function identityOf({ code, coordinate, message }: CompositionNote): string {
  return JSON.stringify([code, coordinate, message]);
}

/** What is about no part of the schema is named by its code. */
function named<Described extends Pick<Finding, 'coordinate'>>({ code }: CompositionNote, found: Described) {
  return { ...found, coordinate: found.coordinate ?? code };
}

function errorFinding(note: CompositionNote, contracts: ReadonlyMap<string, SubgraphContract>): Finding {
  return {
    rule: 'composition-error',
    severity: 'breaking',
    ...described(note, contracts),
    advice: `There is no supergraph with this change: change the schema until the composer takes it. ${notToBeWaived}`,
  };
}

function described(
  note: CompositionNote,
  contracts: ReadonlyMap<string, SubgraphContract>,
): Pick<Finding, 'message' | 'coordinate' | 'subgraph' | 'place'> {
  const { code, message, coordinate } = note;
  const [first, ...others] = placesOf(note, contracts);
  const also = [...new Set(others.map(({ place }) => `${place.file}:${place.line}:${place.column}`))];
  return {
    message: `${code}: ${message}${also.length === 0 ? '' : ` (see also ${also.join(', ')})`}`,
    coordinate: coordinate ?? first?.coordinate,
    subgraph: first?.subgraph,
    place: first?.place,
  };
}

interface NotePlace {
  readonly subgraph: string;
  readonly place: Place;
  readonly coordinate?: string;
}

function placesOf(
  { message, places }: CompositionNote,
  contracts: ReadonlyMap<string, SubgraphContract>,
): readonly NotePlace[] {
  const given = places.flatMap(({ subgraph, line, column }) => {
    const file = contracts.get(subgraph)?.file;
    return file === undefined ? [] : [{ subgraph, place: { file, line, column } }];
  });
  return given.length > 0 ? given : placesByWords(message, contracts);
}

/** Some notes come without places. They name in brackets whose mistake it is, and in quotes what they are about. */
function placesByWords(
  message: string,
  contracts: ReadonlyMap<string, SubgraphContract>,
): readonly NotePlace[] {
  const owner = contracts.get(/^\[([^\]]+)\]/.exec(message)?.[1] ?? '');
  if (owner !== undefined) {
    const found = placeByWords(owner, message) ?? { place: startOf(owner) };
    return [{ subgraph: owner.name, ...found }];
  }
  const words = quotedIn(message);
  const named = [...contracts.values()].filter(({ name }) => words.includes(name));
  for (const coordinate of words) {
    const found = (named.length > 0 ? named : [...contracts.values()]).flatMap((contract) => {
      const place = placeOfDefinition(contract, coordinate);
      return place === undefined ? [] : [{ subgraph: contract.name, place, coordinate }];
    });
    if (found.length > 0) return found;
  }
  return [];
}

function refusal(reason: string, contracts: ReadonlyMap<string, SubgraphContract>): Finding {
  const directive = /^@(\w+)/.exec(reason)?.[1];
  const [use] = [...contracts.values()].flatMap((contract) => {
    const place = directive === undefined ? undefined : placeOfDirective(contract, directive);
    return place === undefined ? [] : [{ subgraph: contract.name, place }];
  });
  return {
    rule: 'supergraph-refused',
    severity: 'breaking',
    message: `The gateway does not load this supergraph: ${reason}`,
    subgraph: use?.subgraph,
    place: use?.place,
    advice: `A gateway that runs would keep its old supergraph, and one that starts would serve nothing. ${notToBeWaived}`,
  };
}
