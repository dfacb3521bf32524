import type { Trial } from '../../../harness/trial.ts';
import { generateOperation } from '../../generateOperation.ts';
import { faultsHeader, trialHeader } from './headers.ts';
import type { RunningGraph } from './startGraph.ts';

interface TrialOptions {
  /** How many of the fields that may be null fail. */
  readonly faultPercent?: number;
}

/** An operation over the graph, the same for the same seed; half of them mutations where there are any. Aliases
 *  are names of fields anywhere in it, hidden ones too: keys above all are what a gateway could mistake them for. */
export function generateTrial(
  { graph, model, monolith }: RunningGraph,
  seed: number,
  { faultPercent = 0 }: TrialOptions = {},
): Trial {
  const isMutation = monolith.schema.getMutationType() != null && seed % 2 === 0;
  const trial = generateOperation(monolith.schema, seed, {
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

/** Trials of one seed differ: each has a state of its own. */
let nextTrial = 1;
