import { useGraphiQL } from '@graphiql/react';
import { type DocumentNode, Kind, type OperationDefinitionNode, OperationTypeNode } from 'graphql';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { GraphiqlSettings } from '../graphiqlSettings.ts';
import type { AnswerRecorder } from './answerRecorder.ts';
import type { Answer, Answers } from './answers.ts';
import { restoreTabs } from './preparedTabs.ts';
import { TimeLine } from './TimeLine.tsx';

interface AnswerPaneProps {
  readonly answers: Answers;
  readonly recorder: AnswerRecorder;
  readonly settings: GraphiqlSettings;
}

/** The time line and the query plan of the answer in the open tab. */
export function AnswerPane({ answers, recorder, settings }: AnswerPaneProps) {
  const tab = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]?.id ?? '');
  useEffect(() => {
    answers.tab = tab;
  }, [answers, tab]);
  const answer = useSyncExternalStore(answers.subscribe, () => answers.get(tab));
  const [isOpen, setOpen] = useState(true);
  const [isPlanOpen, setPlanOpen] = useState(false);
  return (
    <section className="answer-pane" aria-label="Timing and query plan">
      <header>
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span> Timing and query plan
        </button>
        {settings.tabs.length > 0 && (
          <button type="button" onClick={() => restoreTabs(localStorage)}>
            Reopen prepared tabs
          </button>
        )}
      </header>
      <Triggers recorder={recorder} isListening={answer?.kind === 'subscription' && answer.isRunning} />
      {isOpen && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it.
        <section className="answer-pane-body" tabIndex={0} aria-label="Details of the answer">
          <TimeLine answer={answer} />
          {settings.canExplain ? (
            answer !== undefined && <QueryPlan answer={answer} isOpen={isPlanOpen} onToggle={setPlanOpen} />
          ) : (
            <p className="soft">
              This gateway does not show its fetches and query plans.{' '}
              <code>security.exposeSubgraphs: true</code> shows them here.
            </p>
          )}
        </section>
      )}
    </section>
  );
}

interface QueryPlanProps {
  readonly answer: Answer;
  readonly isOpen: boolean;
  onToggle(isOpen: boolean): void;
}

function QueryPlan({ answer: { plan, isRunning, arrivals }, isOpen, onToggle }: QueryPlanProps) {
  if (plan !== undefined) {
    return (
      <details open={isOpen} onToggle={({ currentTarget }) => onToggle(currentTarget.open)}>
        <summary>Query plan</summary>
        <pre>{plan}</pre>
      </details>
    );
  }
  return isRunning || arrivals.length === 0 ? null : (
    <p className="soft">No query plan: the gateway answered without a subgraph, or refused the operation.</p>
  );
}

/** Buttons for the mutations of a tab that has a subscription: GraphiQL runs one operation at a time. */
function Triggers({ recorder, isListening }: { recorder: AnswerRecorder; isListening: boolean }) {
  const document = useGraphiQL(({ documentAST }) => documentAST);
  const editors = useGraphiQL(({ queryEditor }) => queryEditor);
  const variableEditor = useGraphiQL(({ variableEditor }) => variableEditor);
  const headerEditor = useGraphiQL(({ headerEditor }) => headerEditor);
  const mutations = triggersOf(document);
  if (mutations.length === 0) return null;
  const send = (operationName: string): void => {
    const query = editors?.getValue() ?? '';
    void recorder.sendTrigger(
      { query, operationName, variables: readJson(variableEditor?.getValue()) },
      readJson(headerEditor?.getValue()) as Readonly<Record<string, string>>,
    );
  };
  return (
    <div className="triggers">
      {mutations.map((name) => (
        <button key={name} type="button" disabled={!isListening} onClick={() => send(name)}>
          Send {name}
        </button>
      ))}
      <span className="soft">
        {isListening ? 'Its event appears in the answer.' : 'Run the subscription first.'}
      </span>
    </div>
  );
}

/** Names of the mutations in a document with a subscription. */
function triggersOf(document: DocumentNode | undefined): string[] {
  const operations = (document?.definitions ?? []).filter(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
  if (!operations.some(({ operation }) => operation === OperationTypeNode.SUBSCRIPTION)) return [];
  return operations.flatMap(({ operation, name }) =>
    operation === OperationTypeNode.MUTATION && name !== undefined ? [name.value] : [],
  );
}

function readJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return {};
  }
}
