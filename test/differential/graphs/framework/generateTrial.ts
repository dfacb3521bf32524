import type { Trial } from '../../../harness/trial.ts';
import { generateOperation, type OperationOptions } from '../../generateOperation.ts';
import { faultsHeader, trialHeader } from './headers.ts';
import type { RunningGraph } from './startGraph.ts';

interface TrialOptions extends Pick<OperationOptions, 'conditionProbability' | 'omitsVariables'> {
  /** The percentage of nullable fields that fail. */
  readonly faultPercent?: number;
}

/** Generates an operation over the graph, the same for the same seed; half of them are mutations if the graph has
 *  any. Aliases are names of any fields of the graph, including hidden ones: a gateway could mistake them for keys
 *  above all. */
export function generateTrial(
  { graph, model, monolith }: RunningGraph,
  seed: number,
  { faultPercent = 0, ...options }: TrialOptions = {},
): Trial {
  const isMutation = monolith.schema.getMutationType() != null && seed % 2 === 0;
  const trial = generateOperation(monolith.schema, seed, {
    ...options,
    kind: isMutation ? 'mutation' : 'query',
    argumentValues: graph.argumentValues ?? {},
    includesNulls: true,
    aliases: [...new Set(model.definitions.fields.map(({ node }) => node.name.value))],
  });
  const headers = {
    ...(isMutation ? { [trialHeader]: `${seed}-${nextTrial++}` } : {}),
    ...(faultPercent === 0 ? {} : { [faultsHeader]: `${seed} ${faultPercent}` }),
  };
  return { ...trial, headers };
}

/** Trials with the same seed differ, because each has a state of its own. */
let nextTrial = 1;
