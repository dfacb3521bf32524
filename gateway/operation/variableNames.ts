/** Variables that the planner adds to a subgraph's operation. A client may have named its own just so. */
const plannersOwn = /^(representations$|contextualArgument_)/;

/** No client's variable keeps a name of this form. */
const prefix = '_client_';

/** The name of a client's variable on its way to the planner and the subgraphs. */
export function internalVariableName(name: string): string {
  return plannersOwn.test(name) || name.startsWith(prefix) ? `${prefix}${name}` : name;
}

/** The name that the client gave to a variable. */
export function clientVariableName(name: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
