import type { GraphQLSchema } from 'graphql';
import type { CompositionResult, SubgraphInput } from '../../gateway/supergraph/composeSupergraph.ts';
import type { CompositionDiagnostic } from '../../gateway/supergraph/compositionDiagnostic.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../gateway/supergraph/supergraphRefusedError.ts';
import type { Contracts } from '../contractStore.ts';
import { locateDefinition, startOfFile } from '../diff/locateCoordinate.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';
import { fieldOf } from './fieldOf.ts';
import { findSubject, locateDirective, locateFromMessage, quotedNamesIn } from './locateInContract.ts';

/** Contracts that compose, and what they compose to. */
export interface ContractGraph {
  readonly contracts: Contracts;
  /** SDL of the supergraph. */
  readonly sdl: string;
  readonly hints: readonly CompositionDiagnostic[];
  /** The owner of the graph closes the supergraph's planner. */
  readonly supergraph: Supergraph;
}

export type ComposedGraph =
  | { readonly graph: ContractGraph }
  /** Why there is no graph; not empty. */
  | { readonly findings: readonly Finding[] };

/** The composer's result for contracts: a supergraph that is not loaded yet. */
export type ComposedContracts =
  | Pick<ContractGraph, 'sdl' | 'hints'>
  /** Why there is no supergraph; not empty. */
  | { readonly findings: readonly Finding[] };

/** The gateway's composer and planner. The checker uses them so that it comes to the same results as a gateway. */
export interface SupergraphTools {
  compose(subgraphs: readonly SubgraphInput[]): Promise<CompositionResult>;
  /** The caller closes the planner of the supergraph. `planningMemory`: the maximum heap of a planner thread in bytes,
   *  instead of the default.
   *  @throws {SupergraphRefusedError} for a supergraph that no gateway would load. */
  load(sdl: string, planningMemory?: number): Promise<Supergraph>;
}

/** Composes and loads contracts. A mistake in a contract never rejects: a composition error is the finding
 *  `composition-error`, a supergraph that a gateway would not load is `supergraph-refused`. */
export async function composeGraph(contracts: Contracts, tools: SupergraphTools): Promise<ComposedGraph> {
  return loadGraph(contracts, await composeContracts(contracts, tools), tools);
}

/** The first half of `composeGraph`. */
export async function composeContracts(
  contracts: Contracts,
  { compose }: Pick<SupergraphTools, 'compose'>,
): Promise<ComposedContracts> {
  if (contracts.size === 0)
    return { findings: [supergraphRefusedFinding('There are no subgraphs to compose.', contracts)] };
  const composed = await compose([...contracts.values()]);
  if ('sdl' in composed) return composed;
  return { findings: composed.errors.map((error) => compositionErrorFinding(error, contracts)) };
}

/** The second half of `composeGraph`: from here on a planner thread holds the supergraph in memory. */
export async function loadGraph(
  contracts: Contracts,
  composed: ComposedContracts,
  { load }: Pick<SupergraphTools, 'load'>,
  planningMemory?: number,
): Promise<ComposedGraph> {
  if ('findings' in composed) return composed;
  try {
    const supergraph = await load(composed.sdl, planningMemory);
    return { graph: { contracts, ...composed, supergraph } };
  } catch (error) {
    if (!(error instanceof SupergraphRefusedError)) throw error;
    return { findings: [supergraphRefusedFinding(error.message, contracts)] };
  }
}

/** Hints of the composer about the candidate that it did not give about the baseline, as `composition-hint`.
 *  Locations are not compared, because lines move. */
export function newHints(
  old: Pick<ContractGraph, 'hints' | 'supergraph'> | undefined,
  next: Pick<ContractGraph, 'hints' | 'contracts'>,
): readonly Finding[] {
  const known = new Set(old?.hints.map(diagnosticKey));
  return next.hints
    .filter((diagnostic) => !known.has(diagnosticKey(diagnostic)))
    .map((diagnostic) =>
      createFinding('composition-hint', {
        severity: isHarmless(diagnostic, old?.supergraph.apiSchema) ? 'safe' : 'dangerous',
        advice: hintAdvice.get(diagnostic.code),
        ...withHintCoordinate(diagnostic, describeDiagnostic(diagnostic, next.contracts)),
      }),
    );
}

/** Whether a hint is about leftovers in one subgraph, or about an argument that no client can have passed, because the old
 *  API schema lacks it too. */
function isHarmless(
  { code, coordinate = '' }: CompositionDiagnostic,
  oldSchema: GraphQLSchema | undefined,
): boolean {
  if (cleanupHints.has(code)) return true;
  const [, typeName = '', fieldName = '', argumentName] = /^(\w+)\.(\w+)\((\w+):\)$/.exec(coordinate) ?? [];
  if (code !== argumentHint || argumentName === undefined) return false;
  const args = fieldOf(oldSchema?.getType(typeName), fieldName)?.args ?? [];
  return args.every(({ name }) => name !== argumentName);
}

const cleanUpLater = 'Clean it up in a later change, when every gateway has this supergraph.';
const cleanupHints: ReadonlySet<string> = new Set([
  'OVERRIDDEN_FIELD_CAN_BE_REMOVED',
  'OVERRIDE_DIRECTIVE_CAN_BE_REMOVED',
  'OVERRIDE_MIGRATION_IN_PROGRESS',
  'UNUSED_ENUM_TYPE',
]);

/** An optional argument that the supergraph lacks, because one of the subgraphs lacks it. */
const argumentHint = 'INCONSISTENT_ARGUMENT_PRESENCE';

/** By code; other hints have the advice of the rule. */
const hintAdvice: ReadonlyMap<string, string> = new Map([
  ...Array.from(cleanupHints, (code) => [code, cleanUpLater] as const),
  [
    argumentHint,
    'Add the argument to every subgraph that serves the field. Until then, operations that pass it are refused.',
  ],
]);

function diagnosticKey({ code, coordinate, message }: CompositionDiagnostic): string {
  return JSON.stringify([code, coordinate, message]);
}

/** A hint about no part of the schema has its code as coordinate. */
function withHintCoordinate<Described extends Pick<Finding, 'coordinate'>>(
  { code }: CompositionDiagnostic,
  found: Described,
) {
  return { ...found, coordinate: found.coordinate ?? code };
}

function compositionErrorFinding(diagnostic: CompositionDiagnostic, contracts: Contracts): Finding {
  return createFinding('composition-error', {
    severity: 'breaking',
    ...describeDiagnostic(diagnostic, contracts),
  });
}

function describeDiagnostic(
  diagnostic: CompositionDiagnostic,
  contracts: Contracts,
): Pick<Finding, 'message' | 'coordinate' | 'subgraph' | 'location'> {
  const { code, message, coordinate } = diagnostic;
  const [first, ...others] = diagnosticLocationsOf(diagnostic, contracts);
  const also = [
    ...new Set(others.map(({ location }) => `${location.file}:${location.line}:${location.column}`)),
  ];
  return {
    message: `${code}: ${message}${also.length === 0 ? '' : ` (see also ${also.join(', ')})`}`,
    coordinate: coordinate ?? first?.coordinate ?? findSubject(message, [...contracts.values()]),
    subgraph: first?.subgraph,
    location: first?.location,
  };
}

interface DiagnosticLocation {
  readonly subgraph: string;
  readonly location: FileLocation;
  readonly coordinate?: string;
}

function diagnosticLocationsOf(
  { message, locations }: CompositionDiagnostic,
  contracts: Contracts,
): readonly DiagnosticLocation[] {
  const given = locations.flatMap(({ subgraph, line, column }) => {
    const file = contracts.get(subgraph)?.file;
    return file === undefined ? [] : [{ subgraph, location: { file, line, column } }];
  });
  return given.length > 0 ? given : locationsFromMessage(message, contracts);
}

/** Some diagnostics have no locations. Their messages name the subgraph in brackets and elements in quotes. */
function locationsFromMessage(message: string, contracts: Contracts): readonly DiagnosticLocation[] {
  const owner = contracts.get(/^\[([^\]]+)\]/.exec(message)?.[1] ?? '');
  if (owner !== undefined) {
    const found = locateFromMessage(owner, message) ?? { location: startOfFile(owner) };
    return [{ subgraph: owner.name, ...found }];
  }
  const words = quotedNamesIn(message);
  const named = [...contracts.values()].filter(({ name }) => words.includes(name));
  for (const coordinate of words) {
    const found = (named.length > 0 ? named : [...contracts.values()]).flatMap((contract) => {
      const location = locateDefinition(contract, coordinate);
      return location === undefined ? [] : [{ subgraph: contract.name, location, coordinate }];
    });
    if (found.length > 0) return found;
  }
  return [];
}

function supergraphRefusedFinding(reason: string, contracts: Contracts): Finding {
  const directive = /^@(\w+)/.exec(reason)?.[1];
  const [use] = [...contracts.values()].flatMap((contract) => {
    const location = directive === undefined ? undefined : locateDirective(contract, directive);
    return location === undefined ? [] : [{ subgraph: contract.name, location }];
  });
  return createFinding('supergraph-refused', {
    severity: 'breaking',
    advice: reason.includes('(planning.memory)') ? raisePlanningMemory : undefined,
    message: `The gateway does not load this supergraph: ${reason}`,
    coordinate: /It is applied at ([^\s,]+?)[,.]?\s/.exec(reason)?.[1],
    subgraph: use?.subgraph,
    location: use?.location,
  });
}

const raisePlanningMemory =
  'Raise planning.memory in the configuration of the gateways, and check with that file: --gateway-config FILE, or gatewayConfig in environments.yaml.';
