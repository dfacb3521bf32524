import { afterEach, beforeEach } from '@jest/globals';
import { type ScriptedSubgraph, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';

/** The subgraph of the current test: every test of the importing file gets its own. */
export let subgraph: ScriptedSubgraph;

beforeEach(async () => {
  subgraph = await startScriptedSubgraph();
});

afterEach(() => subgraph.close());
