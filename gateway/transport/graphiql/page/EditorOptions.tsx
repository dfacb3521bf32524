import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect } from 'react';

/** Wraps long lines of operations, names the editors with the key that leaves them, because Tab indents there, and lets them
 *  follow the system between light and dark while the page is open: GraphiQL reads that only at the start. */
export function EditorOptions() {
  const theme = useGraphiQL((state) => state.theme);
  const operationEditor = useGraphiQL(({ queryEditor }) => queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    operationEditor?.updateOptions({ wordWrap: 'on', ariaLabel: labelOf('Operation') });
    variableEditor?.updateOptions({ ariaLabel: labelOf('Variables') });
    headerEditor?.updateOptions({ ariaLabel: labelOf('Headers') });
  }, [operationEditor, variableEditor, headerEditor]);
  useEffect(() => {
    if (theme !== null) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => setTheme(null);
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [theme, setTheme]);
  return null;
}

function labelOf(name: string): string {
  return `${name}. After Ctrl+M, or Ctrl+Shift+M on macOS, Tab leaves the editor.`;
}
