import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { toPlanningLimits } from '../../gateway/planning/toPlanningLimits.ts';
import { composeInThread } from '../../gateway/supergraph/composeInThread.ts';
import type { CompositionDiagnostic, CompositionResult } from '../../gateway/supergraph/composeSupergraph.ts';
import { loadSupergraph } from '../../gateway/supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../gateway/supergraph/supergraphRefusedError.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { startOfFile } from '../diff/locateCoordinate.ts';
import type { FileLocation, Finding } from '../finding.ts';
import { notWaivableNotice } from '../unwaivableReasonOf.ts';
import { locateFromMessage, quotedNamesIn } from './locateFromMessage.ts';
import { locateDefinition, locateDirective } from './locateInContract.ts';

/** Contracts that make one supergraph, with what is made from them. */
export interface ContractGraph {
  readonly contracts: ReadonlyMap<string, SubgraphContract>;
  /** The supergraph. */
  readonly sdl: string;
  readonly hints: readonly CompositionDiagnostic[];
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
  if (contracts.size === 0)
    return { findings: [supergraphRefusedFinding('There is no subgraph to compose.', contracts)] };
  const composed = await compose([...contracts.values()]);
  if ('sdl' in composed) return composed;
  return { findings: composed.errors.map((note) => compositionErrorFinding(note, contracts)) };
}

/** The second half of `composeGraph`: from here on the planner's thread holds the supergraph. `load`: rejects with
 *  `SupergraphRefusedError` for one that a gateway does not take. */
export async function loadGraph(
  contracts: ReadonlyMap<string, SubgraphContract>,
  composed: ComposedContracts,
  load: (sdl: string) => Promise<Supergraph> = (sdl) =>
    loadSupergraph({ sdl, planning: checkPlanningLimits }),
): Promise<ComposedGraph> {
  if ('findings' in composed) return composed;
  try {
    const supergraph = await load(composed.sdl);
    return { graph: { contracts, ...composed, supergraph } };
  } catch (error) {
    if (!(error instanceof SupergraphRefusedError)) throw error;
    return { findings: [supergraphRefusedFinding(error.message, contracts)] };
  }
}

/** A check may wait longer than a client: whether an operation can be planned must not hang on how busy the machine
 *  is that checks. */
export const checkPlanningLimits = {
  ...toPlanningLimits(parseConfig({ supergraph: { file: 'composed' } }).planning),
  timeoutMs: 30_000,
};

/** Hints that the composer gives for the candidate and did not give before, as findings `composition-hint`. Where
 *  a hint stands does not count: lines move. */
export function newHints(
  old: Pick<ContractGraph, 'hints'> | undefined,
  next: Pick<ContractGraph, 'hints' | 'contracts'>,
): readonly Finding[] {
  const known = new Set(old?.hints.map(diagnosticKey));
  return next.hints
    .filter((note) => !known.has(diagnosticKey(note)))
    .map((note) => ({
      rule: 'composition-hint',
      severity: 'dangerous',
      ...withHintCoordinate(note, describeDiagnostic(note, next.contracts)),
      advice: 'See whether the subgraphs mean the same here; where the hint is right, make them agree.',
    }));
}

function diagnosticKey({ code, coordinate, message }: CompositionDiagnostic): string {
  return JSON.stringify([code, coordinate, message]);
}

/** What is about no part of the schema is named by its code. */
function withHintCoordinate<Described extends Pick<Finding, 'coordinate'>>(
  { code }: CompositionDiagnostic,
  found: Described,
) {
  return { ...found, coordinate: found.coordinate ?? code };
}

function compositionErrorFinding(
  note: CompositionDiagnostic,
  contracts: ReadonlyMap<string, SubgraphContract>,
): Finding {
  return {
    rule: 'composition-error',
    severity: 'breaking',
    ...describeDiagnostic(note, contracts),
    advice: `There is no supergraph with this change: change the schema until the composer takes it. ${notWaivableNotice}`,
  };
}

function describeDiagnostic(
  note: CompositionDiagnostic,
  contracts: ReadonlyMap<string, SubgraphContract>,
): Pick<Finding, 'message' | 'coordinate' | 'subgraph' | 'location'> {
  const { code, message, coordinate } = note;
  const [first, ...others] = diagnosticLocationsOf(note, contracts);
  const also = [...new Set(others.map(({ place }) => `${place.file}:${place.line}:${place.column}`))];
  return {
    message: `${code}: ${message}${also.length === 0 ? '' : ` (see also ${also.join(', ')})`}`,
    coordinate: coordinate ?? first?.coordinate,
    subgraph: first?.subgraph,
    location: first?.place,
  };
}

interface DiagnosticLocation {
  readonly subgraph: string;
  readonly place: FileLocation;
  readonly coordinate?: string;
}

function diagnosticLocationsOf(
  { message, locations }: CompositionDiagnostic,
  contracts: ReadonlyMap<string, SubgraphContract>,
): readonly DiagnosticLocation[] {
  const given = locations.flatMap(({ subgraph, line, column }) => {
    const file = contracts.get(subgraph)?.file;
    return file === undefined ? [] : [{ subgraph, place: { file, line, column } }];
  });
  return given.length > 0 ? given : locationsFromMessage(message, contracts);
}

/** Some notes come without places. They name in brackets whose mistake it is, and in quotes what they are about. */
function locationsFromMessage(
  message: string,
  contracts: ReadonlyMap<string, SubgraphContract>,
): readonly DiagnosticLocation[] {
  const owner = contracts.get(/^\[([^\]]+)\]/.exec(message)?.[1] ?? '');
  if (owner !== undefined) {
    const found = locateFromMessage(owner, message) ?? { place: startOfFile(owner) };
    return [{ subgraph: owner.name, ...found }];
  }
  const words = quotedNamesIn(message);
  const named = [...contracts.values()].filter(({ name }) => words.includes(name));
  for (const coordinate of words) {
    const found = (named.length > 0 ? named : [...contracts.values()]).flatMap((contract) => {
      const place = locateDefinition(contract, coordinate);
      return place === undefined ? [] : [{ subgraph: contract.name, place, coordinate }];
    });
    if (found.length > 0) return found;
  }
  return [];
}

function supergraphRefusedFinding(reason: string, contracts: ReadonlyMap<string, SubgraphContract>): Finding {
  const directive = /^@(\w+)/.exec(reason)?.[1];
  const [use] = [...contracts.values()].flatMap((contract) => {
    const place = directive === undefined ? undefined : locateDirective(contract, directive);
    return place === undefined ? [] : [{ subgraph: contract.name, place }];
  });
  return {
    rule: 'supergraph-refused',
    severity: 'breaking',
    message: `The gateway does not load this supergraph: ${reason}`,
    subgraph: use?.subgraph,
    location: use?.place,
    advice: `A gateway that runs would keep its old supergraph, and one that starts would serve nothing. ${notWaivableNotice}`,
  };
}
