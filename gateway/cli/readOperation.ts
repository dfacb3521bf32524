import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  isTypeSystemDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  Source,
} from 'graphql';
import {
  describeExceededLimit,
  type ExceededLimit,
  findExceededLimit,
  findExceededTextLimit,
  type OperationLimits,
} from '../operation/operationLimits.ts';
import { validateDocument } from '../operation/validateDocument.ts';
import { CommandError, exitCode } from './exitCode.ts';
import { readText } from './textFiles.ts';

interface ReadOperationOptions {
  readonly file: string;
  /** Required if the file has several operations. */
  readonly operationName: string | undefined;
  readonly schema: GraphQLSchema;
  readonly limits: OperationLimits;
}

interface ReadOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
}

/** Matches a text that begins with a definition of a schema. Only for texts beyond the limits, which are not parsed. */
const schemaStart =
  /^(?:\s|#.*[\n\r])*(?:"|(?:extend|schema|scalar|directive|type|interface|union|enum|input)\b)/;

/** Reads an operation from a file, with the gateway's limits and validation.
 *  @throws {CommandError} `usageError` with all problems and their locations. */
export function readOperation(options: ReadOperationOptions): ReadOperation {
  const { file, schema, limits } = options;
  if (file.includes('{')) {
    const message = `The operation is read from a file: write it into one, such as operation.graphql, and name the file.`;
    throw new CommandError(exitCode.usageError, message);
  }
  const text = readText(file);
  const exceededByText = findExceededTextLimit(text, limits);
  if (exceededByText !== undefined) {
    throw schemaStart.test(text) ? schemaError(file) : limitExceededError(file, exceededByText);
  }
  const document = parseText(text, file);
  if (document.definitions.some(isTypeSystemDefinitionNode)) throw schemaError(file);
  // Before validation, whose time is quadratic in the number of fields with one response name.
  const exceeded = findExceededLimit(document, limits);
  if (exceeded !== undefined) throw limitExceededError(file, exceeded);
  const errors = validateDocument(schema, document);
  if (errors.length > 0) throw invalidOperationError(file, errors);
  const operation = chooseOperation(document, options);
  // Validation reports nothing for a missing root type.
  if (schema.getRootType(operation.operation) == null) {
    const message = `${file}: the supergraph has no ${operation.operation} type.`;
    throw new CommandError(exitCode.usageError, message);
  }
  return { document, operation };
}

function parseText(text: string, file: string): DocumentNode {
  try {
    return parse(new Source(text, file));
  } catch (error) {
    if (error instanceof GraphQLError) throw invalidOperationError(file, [error]);
    throw error;
  }
}

function chooseOperation(document: DocumentNode, { file, operationName }: ReadOperationOptions) {
  const operations = document.definitions.filter((entry) => entry.kind === Kind.OPERATION_DEFINITION);
  const names = operations.map(({ name }) => name?.value ?? '(anonymous)').join(', ');
  const [first, second] =
    operationName === undefined ? operations : operations.filter(({ name }) => name?.value === operationName);
  if (first === undefined) {
    const wanted = operationName === undefined ? '' : ` ${operationName}`;
    const found = names === '' ? '' : `; it has: ${names}`;
    throw new CommandError(exitCode.usageError, `${file} has no operation${wanted}${found}.`);
  }
  if (second !== undefined) {
    const message = `${file} has several operations: ${names}. Choose one with --operation.`;
    throw new CommandError(exitCode.usageError, message);
  }
  return first;
}

function invalidOperationError(file: string, errors: readonly GraphQLError[]): CommandError {
  const problems = errors.map(({ message, locations }) => {
    const positions = (locations ?? []).map(({ line, column }) => `${file}:${line}:${column}`).join(', ');
    return `  ${positions === '' ? file : positions} ${message}`;
  });
  return new CommandError(exitCode.usageError, `The operation is not valid:\n${problems.join('\n')}`);
}

function schemaError(file: string): CommandError {
  return new CommandError(exitCode.usageError, `${file} is a schema; expected: a file with an operation.`);
}

function limitExceededError(file: string, exceeded: ExceededLimit): CommandError {
  return new CommandError(exitCode.usageError, `${file}: ${describeExceededLimit(exceeded)}`);
}
