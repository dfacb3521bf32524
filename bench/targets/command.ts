import type { Target, TargetContext } from './target.ts';

const form = /^([\w.-]+)(\/[^=\s]*)?=(.+)$/s;

/** A target that a command line starts: `NAME[/PATH]=COMMAND`, where PATH is that of the GraphQL endpoint (`/graphql` by
 *  default) and COMMAND is run by `sh`. `{port}`, `{supergraph}`, `{directory}` and `{url:SUBGRAPH}` in the command
 *  stand for the values of the run. @throws if the option has another form or another placeholder. */
export function commandTarget(option: string): Target {
  const [, name, path = '/graphql', command = ''] = form.exec(option) ?? [];
  if (name === undefined) {
    throw new Error(
      `--command must have the form NAME=COMMAND or NAME/PATH=COMMAND, such as 'router=./router --port {port} --supergraph {supergraph}', not ${JSON.stringify(option)}.`,
    );
  }
  for (const [placeholder] of command.matchAll(/\{[^{}]*\}/g)) {
    if (/^\{(port|supergraph|directory|url:\w+)\}$/.test(placeholder)) continue;
    throw new Error(
      `--command ${name}: unknown placeholder ${placeholder}; there are {port}, {supergraph}, {directory} and {url:SUBGRAPH}.`,
    );
  }
  return {
    name,
    role: 'peer',
    program: (context) => ({
      // `exec`: the signal that ends the target must reach the command itself.
      executable: 'sh',
      args: ['-c', `exec ${substitute(command, context)}`],
      env: {},
      path,
    }),
  };
}

function substitute(command: string, context: TargetContext): string {
  return command.replaceAll(
    /\{(port|supergraph|directory|url:(\w+))\}/g,
    (_, key: string, subgraph?: string) => {
      if (key === 'port') return String(context.port);
      if (key === 'supergraph') return context.supergraphFile;
      if (key === 'directory') return context.directory;
      const url = context.subgraphUrls[String(subgraph)];
      if (url !== undefined) return url;
      throw new Error(
        `{url:${subgraph}}: there is no such subgraph; there are ${Object.keys(context.subgraphUrls).join(', ')}.`,
      );
    },
  );
}
