import { buildSubgraphSchema } from '@apollo/subgraph';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { findInvalidOneOfFields } from '../../gateway/planning/oneOfDirective.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';
import { findSubject, locateFromMessage } from '../graph/locateInContract.ts';
import { subgraphSchemaOf } from '../graph/subgraphSchema.ts';
import { type CanonicalSubgraph, readCanonicalSubgraph } from './canonicalSubgraph.ts';
import { type ElementNode, elementsOf } from './elements.ts';
import { startOfFile } from './locateCoordinate.ts';

/** One version of a subgraph, in all the forms that a diff needs. */
export interface SubgraphVersion {
  readonly subgraph: CanonicalSubgraph;
  readonly elements: ReadonlyMap<string, ElementNode>;
  /** The schema that a subgraph library builds. */
  readonly schema: GraphQLSchema;
}

/** Reads a contract, or returns why it cannot be used: `misuse` when the SDL does not parse, `breaking` when a
 *  subgraph library refuses it. */
export function readSubgraphVersion(contract: SubgraphContract): SubgraphVersion | readonly Finding[] {
  const attempt = <T>(rule: 'subgraph-unparseable' | 'subgraph-invalid', read: () => T) => {
    try {
      return { value: read() };
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      return { findings: causesOf(error).map((cause) => invalidVersionFinding(contract, rule, cause)) };
    }
  };
  const parsed = attempt('subgraph-unparseable', () => readCanonicalSubgraph(contract.sdl));
  if ('findings' in parsed) return parsed.findings;
  const subgraph = parsed.value;
  const invalidFields = findInvalidOneOfFields(subgraph.document);
  if (invalidFields.length > 0)
    return invalidFields.map((error) => invalidVersionFinding(contract, 'subgraph-invalid', error));
  const built = attempt('subgraph-invalid', () => schemaOf(contract, subgraph));
  if ('findings' in built) return built.findings;
  return { subgraph, elements: elementsOf(subgraph), schema: built.value };
}

function schemaOf(
  contract: SubgraphContract,
  { document, hasDefaultRootNames }: CanonicalSubgraph,
): GraphQLSchema {
  if (!hasDefaultRootNames) return buildSubgraphSchema(document);
  try {
    return subgraphSchemaOf(contract);
  } catch {
    // The shared schema has no locations, and messages of errors need them.
    return buildSubgraphSchema(document);
  }
}

/** The composer's library throws several errors as the causes of one. */
function causesOf(error: GraphQLError): readonly GraphQLError[] {
  return 'causes' in error && Array.isArray(error.causes) && error.causes.length > 0 ? error.causes : [error];
}

function invalidVersionFinding(
  contract: SubgraphContract,
  rule: 'subgraph-unparseable' | 'subgraph-invalid',
  error: GraphQLError,
): Finding {
  const [location] = error.locations ?? [];
  const { message } = error;
  return createFinding(rule, {
    message: `${contract.file} is not a schema of a subgraph: ${message.replace('[<unnamed>] ', '')}`,
    subgraph: contract.name,
    coordinate: findSubject(message, [contract]),
    location:
      location === undefined ? fallbackLocation(contract, message) : { file: contract.file, ...location },
  });
}

/** The library gives no locations for duplicate definitions and unreadable links. */
function fallbackLocation(contract: SubgraphContract, message: string): FileLocation {
  return locateFromMessage(contract, message)?.location ?? startOfFile(contract);
}
