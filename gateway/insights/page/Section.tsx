/** @jsxImportSource preact */
import type { ComponentChildren } from 'preact';

interface SectionProps {
  readonly id: string;
  readonly title: string;
  readonly note?: string | undefined;
  readonly children: ComponentChildren;
}

export function Section({ id, title, note, children }: SectionProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {note !== undefined && <p class="soft">{note}</p>}
      {children}
    </section>
  );
}

/** A name that a narrow column breaks where its words begin: `Product|Page`, `product.|reviews`. */
export function Name({ text }: { text: string }) {
  const [first, ...others] = text.split(/(?<=[a-z\d])(?=[A-Z])|(?<=[._/@-])/);
  // biome-ignore lint/correctness/useJsxKeyInIterable: breaks have no state to keep.
  return <>{[first, ...others.flatMap((word) => [<wbr />, word])]}</>;
}

interface TableProps {
  readonly label: string;
  /** The headings of the columns. */
  readonly columns: readonly string[];
  /** The rows. */
  readonly children: ComponentChildren;
}

/** A table that scrolls sideways on a narrow screen, also by keyboard. */
export function Table({ label, columns, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group is no landmark, of which there would be too many.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <div class="frame" role="group" aria-label={label} tabIndex={0}>
      <table class="stacked">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
