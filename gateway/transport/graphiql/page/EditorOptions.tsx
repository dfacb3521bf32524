import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect } from 'react';

/** Wraps long lines of operations, and lets all editors follow the system between light and dark while the page is open:
 *  GraphiQL reads that only at the start. */
export function EditorOptions() {
  const theme = useGraphiQL((state) => state.theme);
  const operationEditor = useGraphiQL(({ queryEditor }) => queryEditor);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    operationEditor?.updateOptions({ wordWrap: 'on' });
  }, [operationEditor]);
  useEffect(() => {
    if (theme !== null) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => setTheme(null);
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [theme, setTheme]);
  return null;
}
