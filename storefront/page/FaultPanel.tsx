import { type ComponentProps, type FormEvent, useId, useState } from 'react';
import { controlProcess, restoreDemo, setFaults } from './demoApi.ts';
import {
  type DemoState,
  type DemoSubgraph,
  describeFault,
  type Fault,
  isAsUsual,
  isRestored,
} from './demoState.ts';
import type { Demo } from './useDemo.ts';

interface FaultPanelProps {
  readonly demo: Demo;
  readonly state: DemoState;
  readonly isOpen: boolean;
  readonly onToggle: (isOpen: boolean) => void;
  /** Called when the demo has changed, so that the page shows the effect. */
  readonly onChange: (change: 'broken' | 'repaired') => void;
}

const kinds: Readonly<Record<string, { readonly title: string; readonly fault: Fault }>> = {
  'slow-1': { title: '1 s slower', fault: { latency: 1000 } },
  'slow-3': { title: '3 s slower', fault: { latency: 3000 } },
  fails: { title: 'fails', fault: { errorRate: 1 } },
  flaky: { title: 'fails every other time', fault: { errorRate: 0.5 } },
  hangs: { title: 'hangs', fault: { hangRate: 1 } },
};

const suggestedFields = new Map([
  ['accounts', 'Account.displayName'],
  ['products', 'Query.product'],
  ['inventory', 'Product.stock'],
  ['reviews', 'Product.reviews'],
  ['recommendations', 'Product.recommended'],
]);

/** Breaks the demo's subgraphs, and repairs them. */
export function FaultPanel({ demo, state, isOpen, onToggle, onChange }: FaultPanelProps) {
  const change = async (kind: 'broken' | 'repaired', action: () => Promise<DemoState | undefined>) => {
    if (await demo.run(action)) onChange(kind);
  };
  const replaceFaults = (
    kind: 'broken' | 'repaired',
    { name }: DemoSubgraph,
    faults: DemoSubgraph['faults'],
  ) => void change(kind, () => setFaults(name, faults));
  const isUsual = isRestored(state);
  return (
    <details className="faults" open={isOpen} onToggle={({ currentTarget }) => onToggle(currentTarget.open)}>
      <summary>
        <h2>Break something</h2>
        <span className="faults-state" data-state={isUsual ? 'usual' : 'broken'}>
          {isUsual ? 'All five subgraphs run as usual' : 'Something is broken'}
        </span>
      </summary>
      <FaultForm
        subgraphs={state.subgraphs}
        isBusy={demo.isBusy}
        onApply={(subgraph, target, fault) =>
          replaceFaults('broken', subgraph, { ...subgraph.faults, [target]: fault })
        }
      />
      <ul className="subgraphs">
        {state.subgraphs.map((subgraph) => (
          <SubgraphRow
            key={subgraph.name}
            subgraph={subgraph}
            isBusy={demo.isBusy}
            onControl={(action) =>
              void change(action === 'kill' ? 'broken' : 'repaired', () =>
                controlProcess(subgraph.name, action),
              )
            }
            onRemove={(target) => {
              const { [target]: _, ...others } = subgraph.faults;
              replaceFaults('repaired', subgraph, others);
            }}
          />
        ))}
      </ul>
      <p className="faults-foot">
        <ActionButton isOff={demo.isBusy || isUsual} onClick={() => void change('repaired', restoreDemo)}>
          Restore the defaults
        </ActionButton>
        <span role="status">{demo.isBusy ? 'Working…' : null}</span>
      </p>
      {demo.error === undefined ? null : (
        <p className="faults-error" role="alert">
          {demo.error}
        </p>
      )}
    </details>
  );
}

interface FaultFormProps {
  readonly subgraphs: readonly DemoSubgraph[];
  readonly isBusy: boolean;
  readonly onApply: (subgraph: DemoSubgraph, target: string, fault: Fault) => void;
}

function FaultForm({ subgraphs, isBusy, onApply }: FaultFormProps) {
  const id = useId();
  const [name, setName] = useState('reviews');
  const [chosenTarget, setTarget] = useState<string>();
  const [kind, setKind] = useState('hangs');
  const subgraph = subgraphs.find((each) => each.name === name) ?? subgraphs[0];
  if (subgraph === undefined) return null;
  const target = chosenTarget ?? suggestedFields.get(subgraph.name) ?? '*';
  const apply = (event: FormEvent): void => {
    event.preventDefault();
    const fault = kinds[kind]?.fault;
    if (fault !== undefined && !isBusy) onApply(subgraph, target, fault);
  };
  return (
    <form className="fault-form" onSubmit={apply}>
      <label htmlFor={`${id}-subgraph`}>Subgraph</label>
      <select
        id={`${id}-subgraph`}
        value={subgraph.name}
        onChange={({ currentTarget }) => {
          setName(currentTarget.value);
          setTarget(undefined);
        }}
      >
        {subgraphs.map((each) => (
          <option key={each.name}>{each.name}</option>
        ))}
      </select>
      <label htmlFor={`${id}-target`}>Field</label>
      <select
        id={`${id}-target`}
        value={target}
        onChange={({ currentTarget }) => setTarget(currentTarget.value)}
      >
        <option value="*">every request</option>
        {subgraph.fields.map((field) => (
          <option key={field}>{field}</option>
        ))}
      </select>
      <label htmlFor={`${id}-kind`}>Fault</label>
      <select id={`${id}-kind`} value={kind} onChange={({ currentTarget }) => setKind(currentTarget.value)}>
        {Object.entries(kinds).map(([value, { title }]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
      <button type="submit" className="primary" aria-disabled={isBusy || subgraph.state !== 'running'}>
        Break it
      </button>
    </form>
  );
}

interface SubgraphRowProps {
  readonly subgraph: DemoSubgraph;
  readonly isBusy: boolean;
  readonly onControl: (action: 'kill' | 'start') => void;
  readonly onRemove: (target: string) => void;
}

function SubgraphRow({ subgraph, isBusy, onControl, onRemove }: SubgraphRowProps) {
  const { name, state, exit, faults } = subgraph;
  const isRunning = state === 'running';
  return (
    <li data-state={isRunning && !isAsUsual(subgraph) ? 'faulty' : state}>
      <span className="subgraph-name">{name}</span>
      <span className="subgraph-state">{describeState(state, exit)}</span>
      <ActionButton
        className="small"
        isOff={isBusy || state === 'starting'}
        onClick={() => onControl(isRunning ? 'kill' : 'start')}
      >
        {isRunning ? 'Kill' : 'Start'}
        <span className="visually-hidden"> {name}</span>
      </ActionButton>
      {Object.keys(faults).length === 0 ? null : (
        <ul className="fault-list">
          {Object.entries(faults).map(([target, fault]) => (
            <li key={target}>
              {target === '*' ? 'every request' : target}: {describeFault(fault)}
              <ActionButton
                className="remove"
                isOff={isBusy}
                aria-label={`Remove the fault of ${target === '*' ? name : target}`}
                onClick={() => onRemove(target)}
              >
                ×
              </ActionButton>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

type ActionButtonProps = ComponentProps<'button'> & { readonly isOff: boolean };

/** A button that keeps the focus while it is off. */
function ActionButton({ isOff, onClick, ...rest }: ActionButtonProps) {
  return <button {...rest} type="button" aria-disabled={isOff} onClick={isOff ? undefined : onClick} />;
}

function describeState(state: DemoSubgraph['state'], exit: string | null): string {
  if (state !== 'down') return state;
  if (exit === 'SIGKILL') return 'killed';
  return exit === null ? 'not started' : `ended (${exit})`;
}
