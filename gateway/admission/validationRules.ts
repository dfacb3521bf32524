import { OneOfVariablesRule } from '../operation/oneOfVariablesRule.ts';
import { OperationTypeRule } from '../operation/operationTypeRule.ts';
import { DeferDirectiveLabelRule, DeferDirectiveOnRootFieldRule } from './deferDirectiveRules.ts';
import { FloatLiteralsRule } from './floatLiteralsRule.ts';

/** What the gateway requires of an operation besides the rules of graphql-js. */
export const gatewayValidationRules = [
  DeferDirectiveLabelRule,
  DeferDirectiveOnRootFieldRule,
  FloatLiteralsRule,
  OneOfVariablesRule,
  OperationTypeRule,
];
