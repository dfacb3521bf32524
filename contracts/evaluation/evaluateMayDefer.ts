import { isInterfaceType, isObjectType } from 'graphql';
import { findNearestName } from '../../gateway/config/findNearestName.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { enrichmentRulesOf } from './evaluateEnrichmentContract.ts';
import { operationReference } from './operationFindings.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports fields in `@slo mayDefer` that the graph does not have, and fields that are never deferred, if the configuration of
 *  the gateways, which may defer them, is known. */
export function evaluateMayDefer(
  graph: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const isConfigurationKnown = graph.gatewaySettings.locate !== undefined;
  const rules = isConfigurationKnown ? enrichmentRulesOf(graph) : undefined;
  const fields = fieldsOf(graph);
  return operations.flatMap((operation) =>
    (operation.slo.mayDefer ?? []).flatMap((coordinate): Finding | readonly Finding[] => {
      if (!fields.has(coordinate)) return absentFieldFinding(operation, coordinate, [...fields]);
      const [typeName = '', fieldName = ''] = coordinate.split('.');
      const isWithout = rules !== undefined && rules.ruleOf(typeName, fieldName) === undefined;
      return isWithout ? neverDeferredFinding(operation, coordinate) : [];
    }),
  );
}

function fieldsOf({ apiSchema }: ServedGraph): ReadonlySet<string> {
  return new Set(
    Object.values(apiSchema.getTypeMap()).flatMap((type) =>
      isObjectType(type) || isInterfaceType(type)
        ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
        : [],
    ),
  );
}

function absentFieldFinding(
  operation: ConsumerOperation,
  coordinate: string,
  known: readonly string[],
): Finding {
  const nearest = findNearestName(coordinate, known);
  return {
    ...unmatchedFindingOf(operation),
    severity: 'dangerous',
    message: `The @slo mayDefer of ${operation.consumer}/${operation.name} names ${coordinate}, which the graph does not have.`,
    advice: nearest === undefined ? 'Remove it, or name a field of the graph.' : `Did you mean ${nearest}?`,
  };
}

function neverDeferredFinding(operation: ConsumerOperation, coordinate: string): Finding {
  return {
    ...unmatchedFindingOf(operation),
    severity: 'safe',
    message: `The @slo mayDefer of ${operation.consumer}/${operation.name} names ${coordinate}, which is never deferred.`,
    advice: 'Remove it, unless a later change will defer the field.',
  };
}

function unmatchedFindingOf(operation: ConsumerOperation): Pick<Finding, 'rule' | 'coordinate' | 'location'> {
  const { coordinate, location } = operationReference(operation);
  return { rule: 'slo-unmatched', coordinate, location: operation.slo.mayDeferLocation ?? location };
}
