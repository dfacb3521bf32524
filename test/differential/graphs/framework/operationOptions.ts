import type { OperationOptions } from '../../generateOperation.ts';
import type { RunningGraph } from './startGraph.ts';

/** How operations over a graph are generated. Aliases are names of fields anywhere in it, hidden ones too: keys
 *  above all are what a gateway could mistake them for. */
export function operationOptions({ graph, world }: RunningGraph): OperationOptions {
  return {
    argumentValues: graph.argumentValues ?? {},
    withNulls: true,
    aliases: [...new Set(world.definitions.places.map(({ node }) => node.name.value))],
  };
}
