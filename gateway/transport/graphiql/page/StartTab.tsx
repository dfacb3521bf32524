import { useGraphiQL } from '@graphiql/react';
import { useEffect } from 'react';
import { exampleSelection } from './exampleSelection.ts';
import { startTab, unreadStartTab } from './preparedTabs.ts';

/** Writes an operation of the graph into the tab that opens without prepared ones, when the schema is read. */
export function StartTab() {
  const schema = useGraphiQL((state) => state.schema);
  const editor = useGraphiQL(({ queryEditor }) => queryEditor);
  useEffect(() => {
    if (schema && editor?.getValue() === unreadStartTab) editor.setValue(startTab(exampleSelection(schema)));
  }, [schema, editor]);
  return null;
}
