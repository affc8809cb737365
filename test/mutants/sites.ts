// Where code can be changed, and into what: conditions, comparisons, logic, statements, literals and
// what is returned. Types, imports, texts and what a line of the log says are left alone.

import {
  isArrowFunction,
  isAwaitExpression,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isDeleteExpression,
  isDoStatement,
  isExportDeclaration,
  isExpressionStatement,
  isForStatement,
  isIfStatement,
  isImportDeclaration,
  isInterfaceDeclaration,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAssignment,
  isReturnStatement,
  isTemplateExpression,
  isThrowStatement,
  isTypeAliasDeclaration,
  isTypeNode,
  isWhileStatement,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';

export type Kind = 'condition' | 'comparison' | 'logic' | 'statement' | 'literal' | 'result';

export type Site = {
  readonly kind: Kind;
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
  /** Nodes around it, the smallest first. */
  readonly around: readonly (readonly [from: number, to: number])[];
};

const comparisons: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
};

const logic: Readonly<Record<string, string>> = { '&&': '||', '||': '&&' };

/** What is said to people. */
const speaks = /(^|\.)(log|note|progress|write|warn|info|debug|error)$/;

const isLeftAlone = (node: Node): boolean =>
  isImportDeclaration(node) ||
  isExportDeclaration(node) ||
  isInterfaceDeclaration(node) ||
  isTypeAliasDeclaration(node) ||
  isTemplateExpression(node) ||
  isTypeNode(node);

/** Without a type checker: what is an array or a text by its look. */
function emptied(text: string): string | undefined {
  const isList = /^\[\s*[^\]\s]/.test(text) && text.endsWith(']');
  if (isList || /\.(map|filter|flatMap|toSorted)\([\s\S]*\)$/.test(text)) return '[]';
  // A text with spaces is for people.
  const isWord = /^(['"`])[^\s'"`]+\1$/.test(text);
  return isWord || /\.join\([^()]*\)$/.test(text) ? "''" : undefined;
}

function changedNumber(text: string): string {
  const big = text.endsWith('n') ? 'n' : '';
  const value = Number(text.replaceAll('_', '').replace(/n$/, ''));
  if (value === 0) return `1${big}`;
  if (value === 1) return `0${big}`;
  if (text.startsWith('0x')) return `0x${(value + 1).toString(16)}${big}`;
  return `${value < 10 || !Number.isSafeInteger(value * 2) ? value + 1 : value * 2}${big}`;
}

/** All sites of a file, in the order of their text. */
export function sitesOf(file: SourceFile): Site[] {
  const sites: Site[] = [];
  const around: (readonly [number, number])[] = [];
  const startOf = (node: Node): number => node.getStart(file);
  const textOf = (node: Node): string => file.text.slice(startOf(node), node.end);

  const add = (kind: Kind, node: Node, replacement: string): void => {
    const from = startOf(node);
    const outer = around.filter(([start, end]) => start <= from && end >= node.end).reverse();
    sites.push({ kind, from, to: node.end, replacement, around: [[from, node.end], ...outer] });
  };

  const condition = (node: Node | undefined): void => {
    // Those have a site of their own; an endless loop has none.
    const isComparison =
      node && isBinaryExpression(node) && /^[!=]==$/.test(textOf(node.operatorToken));
    if (!node || isComparison || node.kind === SyntaxKind.TrueKeyword) return;
    const isNegated =
      isPrefixUnaryExpression(node) && node.operator === SyntaxKind.ExclamationToken;
    add('condition', node, isNegated ? textOf(node.operand) : `!(${textOf(node)})`);
  };

  const result = (node: Node | undefined): void => {
    const empty = node && emptied(textOf(node));
    if (node && empty !== undefined) add('result', node, empty);
  };

  const statement = (node: Node): void => {
    if (isThrowStatement(node)) add('statement', node, ';');
    if (!isExpressionStatement(node)) return;
    const { expression } = node;
    const inner = isAwaitExpression(expression) ? expression.expression : expression;
    const isAssignment =
      isBinaryExpression(inner) && /^[^=!<>]*=$/.test(textOf(inner.operatorToken));
    const isCall = isCallExpression(inner) && !textOf(inner).startsWith('super');
    const isOther =
      isDeleteExpression(inner) ||
      isPrefixUnaryExpression(inner) ||
      isPostfixUnaryExpression(inner);
    if (isAssignment || isCall || isOther) add('statement', node, ';');
  };

  const literal = (node: Node): void => {
    if (node.kind === SyntaxKind.TrueKeyword) add('literal', node, 'false');
    if (node.kind === SyntaxKind.FalseKeyword) add('literal', node, 'true');
    if (node.kind === SyntaxKind.NumericLiteral || node.kind === SyntaxKind.BigIntLiteral) {
      add('literal', node, changedNumber(textOf(node)));
    }
  };

  const visit = (node: Node): void => {
    if (isLeftAlone(node)) return;
    if (isIfStatement(node) || isWhileStatement(node) || isDoStatement(node)) {
      condition(node.expression);
    }
    if (isConditionalExpression(node) || isForStatement(node)) condition(node.condition);
    if (isReturnStatement(node)) result(node.expression);
    if (isArrowFunction(node)) result(node.body);
    if (isBinaryExpression(node)) {
      const operator = textOf(node.operatorToken);
      const compared = comparisons[operator];
      if (compared) add('comparison', node.operatorToken, compared);
      const joined = logic[operator];
      if (joined) add('logic', node.operatorToken, joined);
    }
    statement(node);
    literal(node);
    if (isCallExpression(node) && speaks.test(textOf(node.expression))) return;
    around.push([startOf(node), node.end]);
    node.forEachChild((child) => {
      if (!(isPropertyAssignment(node) && child === node.name)) visit(child);
    });
    around.pop();
  };

  file.forEachChild((child) => visit(child));
  return sites.sort((one, other) => one.from - other.from);
}
