import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { ConfigDraft } from '../../../../gateway/cli/init/configDraft.ts';
import { translateApolloRouter } from '../../../../gateway/cli/init/fromApolloRouter.ts';
import { runCommandInProcess } from '../../../harness/commandInProcess.ts';
import { createTemporaryDirectory } from '../../../harness/suiteResources.ts';

/** The directory of the running test. */
export let folder: string;
beforeEach(() => {
  folder = createTemporaryDirectory();
});

/** Runs a command of `tributary` in the `folder`. */
export const run = (...args: readonly string[]) => runCommandInProcess(args, folder);
export const read = (file = 'tributary.yaml') => readFileSync(join(folder, file), 'utf8');
export const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

/** The timeouts of Apollo Router without `traffic_shaping`. */
export const routerTimeouts = { attempt: '30s', deadline: '30s' };

/** The options and notes of a translated configuration, without the note about a missing section `subscription`. */
export function translate(yaml: string) {
  const draft = new ConfigDraft();
  draft.set(['supergraph', 'file'], 'supergraph.graphql');
  translateApolloRouter(parseYaml(yaml), draft);
  expect(draft.dropInvalid()).toEqual([]);
  const { supergraph: _, ...options } = draft.toOptions();
  const notes = draft.notes.filter(({ subject }) => subject !== 'subscription');
  return { options, notes: notes.map(({ subject, text }) => `${subject}: ${text}`) };
}
