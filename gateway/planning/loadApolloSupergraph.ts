import { Schema, Supergraph } from '@apollo/federation-internals';
import { type DocumentNode, GraphQLError, Kind, parse } from 'graphql';

/** Loads a supergraph and validates it, its subgraphs and its API schema. `checkFeatures`: called with the schema before the
 *  features that it links to are used. `sdl`: the text of the document.
 *  @throws {Error} what `checkFeatures` throws, and the package's errors with locations in `sdl`. */
export function loadOriginalSupergraph(
  document: DocumentNode,
  sdl: string,
  checkFeatures: (schema: Schema) => void,
): Supergraph {
  try {
    return buildAndValidate(document, checkFeatures);
  } catch (error) {
    // Locations take as much memory as the rest of the document, and only messages of errors need them.
    buildAndValidate(parse(sdl), checkFeatures);
    throw error;
  }
}

/** Loads a supergraph that was derived from a valid one. It is not validated: fields that got placeholders are external
 *  without being used. */
export function loadChangedSupergraph(document: DocumentNode): Supergraph {
  return build(document, false);
}

function buildAndValidate(document: DocumentNode, checkFeatures: (schema: Schema) => void): Supergraph {
  return withoutSdlRules(() => {
    const supergraph = build(document, true);
    checkFeatures(supergraph.schema);
    checkDirectiveArguments(supergraph.schema);
    // Extracting the subgraphs validates them. The planner does so only for the supergraph that is passed to it.
    supergraph.subgraphs();
    supergraph.apiSchema();
    return supergraph;
  });
}

function build(document: DocumentNode, validateSupergraph: boolean): Supergraph {
  // `describeUnsupportedFeatures` decides which features are supported. The loader's list lacks our rewrites for
  // `@fromContext`, refuses `@cacheTag`, and accepts a security feature that is not marked with `for: SECURITY`.
  return Supergraph.build(document, { supportedFeatures: null, validateSupergraph });
}

/** Runs a synchronous task in which the package validates schemas without graphql-js's rules for SDL. To apply them, it
 *  prints each schema and parses the text again: a third of the time that loading takes. They find what its schemas cannot
 *  contain, such as two types of one name, and wrong applications of directives (`checkDirectiveArguments`). */
function withoutSdlRules<Result>(task: () => Result): Result {
  const { toAST } = Schema.prototype;
  Schema.prototype.toAST = returnEmptyDocument;
  try {
    return task();
  } finally {
    Schema.prototype.toAST = toAST;
  }
}

function returnEmptyDocument(): DocumentNode {
  return { kind: Kind.DOCUMENT, definitions: [] };
}

/** The package itself validates the values of known arguments only. A misspelt `graph` would move a field to other
 *  subgraphs. @throws {GraphQLError} */
function checkDirectiveArguments(schema: Schema): void {
  for (const definition of schema.allDirectives()) {
    const known = new Set(definition.arguments().map(({ name }) => name));
    const required = definition.arguments().filter((argument) => argument.isRequired());
    for (const application of definition.applications()) {
      const given = application.arguments();
      const nodes = application.sourceAST ?? null;
      for (const name of Object.keys(given)) {
        if (known.has(name)) continue;
        throw new GraphQLError(`Unknown argument "${name}" on directive "@${definition.name}".`, { nodes });
      }
      for (const { name } of required) {
        if (name in given) continue;
        throw new GraphQLError(`Directive "@${definition.name}" lacks its required argument "${name}".`, {
          nodes,
        });
      }
    }
  }
}
