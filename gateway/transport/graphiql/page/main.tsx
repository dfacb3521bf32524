// Runs in the browser. `bundle.ts` bundles this file; the gateway never imports it.
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import type { GraphiqlSettings } from '../graphiqlSettings.ts';
import { AnswerPane } from './AnswerPane.tsx';
import { AnswerRecorder } from './answerRecorder.ts';
import { Answers } from './answers.ts';
import { EditorOptions } from './EditorOptions.tsx';
import { tabsToOpen } from './preparedTabs.ts';
import { StartTab } from './StartTab.tsx';
import { keepTabSemantics } from './tabSemantics.ts';

const workers: Readonly<Record<string, string>> = { graphql: 'graphql.worker.js', json: 'json.worker.js' };

Object.assign(globalThis, {
  MonacoEnvironment: {
    getWorker: (_: string, label: string) =>
      new Worker(new URL(workers[label] ?? 'editor.worker.js', import.meta.url), { type: 'module' }),
  },
});

const root = document.getElementById('graphiql');
const text = document.getElementById('settings')?.textContent;
if (root === null || text == null)
  throw new Error('The page has no element with the id graphiql or settings.');
const settings = JSON.parse(text) as GraphiqlSettings;
const answers = new Answers();
const recorder = new AnswerRecorder(answers, settings.canExplain);
// The operation in the URL of a link.
const query = new URLSearchParams(location.search).get('query');
const tabs = tabsToOpen(settings.tabs, localStorage);
keepTabSemantics(root);
createRoot(root).render(
  <GraphiQL
    fetcher={recorder.fetcher}
    plugins={[HISTORY_PLUGIN]}
    {...(tabs === undefined ? {} : { defaultTabs: query === null ? tabs : [{ query }, ...tabs] })}
    {...(query === null ? {} : { initialQuery: query })}
  >
    <GraphiQL.Logo>
      <h1>Tributary</h1>
    </GraphiQL.Logo>
    <GraphiQL.Footer>
      <EditorOptions />
      <StartTab />
      <AnswerPane answers={answers} recorder={recorder} settings={settings} />
    </GraphiQL.Footer>
  </GraphiQL>,
);
