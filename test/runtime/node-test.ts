// What our tests use of node:test, for a place that has no test runner: the same files are bundled with
// this in its place and run in workerd, and loaded with it in Node to see which tests they define there.
// Tests are registered first and run one after the other. What is not here is refused: an option, a
// member of a test's context or a nesting that was quietly ignored would be a test that did not run.

import { AsyncLocalStorage } from 'node:async_hooks';

type Context = { diagnostic(message: string): void };
type Body = (context: Context) => unknown;
type Hook = () => unknown;
type Options = { readonly skip?: boolean | string };

type Case = { readonly name: string; readonly skip: boolean; readonly body: Body };
type Suite = {
  readonly name: string;
  readonly skip: boolean;
  readonly parent?: Suite;
  readonly members: (Case | Suite)[];
  readonly hooks: Record<HookName, Hook[]>;
};
type HookName = 'before' | 'after' | 'beforeEach' | 'afterEach';

/** A test by its title: its name after those of the suites it is in. */
export type Registered = { readonly title: string; readonly skipped: boolean };
export type Result = Registered & { readonly error?: unknown; readonly diagnostics: string[] };

/** Where a definition belongs: the suite whose body runs, or nowhere, while tests run. */
const here = new AsyncLocalStorage<Suite | 'a test'>();
let root = makeSuite('', false);
let bodies: Promise<unknown>[] = [];

function makeSuite(name: string, skip: boolean, parent?: Suite): Suite {
  const hooks = { before: [], after: [], beforeEach: [], afterEach: [] };
  return { name, skip, members: [], hooks, ...(parent ? { parent } : {}) };
}

function current(what: string): Suite {
  const suite = here.getStore() ?? root;
  if (suite === 'a test') throw new Error(`${what} within a test is not known here`);
  return suite;
}

function parse<B>(
  name: unknown,
  second: Options | B,
  third: B | undefined,
): { name: string; skip: boolean; body: B } {
  const [options, body] = typeof second === 'function' ? [{}, second] : [second, third];
  if (typeof name !== 'string' || typeof body !== 'function')
    throw new Error('a test has a name and a body, and its options between them');
  const unknown = Object.keys(options as object).filter((key) => key !== 'skip');
  if (unknown.length > 0) throw new Error(`options of tests not known here: ${unknown.join(', ')}`);
  const { skip = false } = options as Options;
  return { name, skip: skip !== false, body };
}

export function test(name: string, second: Options | Body, third?: Body): void {
  current('a test').members.push(parse<Body>(name, second, third));
}

export function describe(name: string, second: Options | Hook, third?: Hook): void {
  const { body, skip } = parse<Hook>(name, second, third);
  const parent = current('a suite');
  const suite = makeSuite(name, skip || parent.skip, parent);
  parent.members.push(suite);
  // Bodies that wait go on while others begin; each knows by its context where it belongs.
  bodies.push(here.run(suite, async () => body()));
}

const hook =
  (name: HookName) =>
  (run: Hook): void => {
    current(`a hook '${name}'`).hooks[name].push(run);
  };
export const before = hook('before');
export const after = hook('after');
export const beforeEach = hook('beforeEach');
export const afterEach = hook('afterEach');

/** Evaluates a test file. @returns what it defines @throws {Error} what it threw */
export async function load(file: () => Promise<unknown>): Promise<Registered[]> {
  root = makeSuite('', false);
  bodies = [];
  await file();
  for (let known = 0; known < bodies.length; known = bodies.length) await Promise.all(bodies);
  return titlesIn(root, []);
}

function titlesIn(suite: Suite, path: readonly string[]): Registered[] {
  return suite.members.flatMap((member) => {
    const names = [...path, member.name];
    if ('members' in member) return titlesIn(member, names);
    return [{ title: names.join(' > '), skipped: suite.skip || member.skip }];
  });
}

/** Runs what the last `load` registered. */
export function run(report: (result: Result) => void): Promise<void> {
  return here.run('a test', () => runSuite(root, [], report));
}

async function runSuite(
  suite: Suite,
  path: readonly string[],
  report: (result: Result) => void,
): Promise<void> {
  const broken = suite.skip ? undefined : await thrownBy(() => inOrder(suite.hooks.before));
  for (const member of suite.members) {
    const names = [...path, member.name];
    if ('members' in member)
      await runSuite(broken ? failing(member, broken) : member, names, report);
    else report(await runCase(member, suite, names.join(' > '), broken));
  }
  const error = suite.skip ? undefined : await thrownBy(() => inOrder(suite.hooks.after));
  if (error)
    report({
      title: [...path, "hook 'after'"].join(' > '),
      skipped: false,
      diagnostics: [],
      ...error,
    });
}

/** A suite within one whose `before` failed: its tests fail by that. */
const failing = (suite: Suite, { error }: Thrown): Suite => ({
  ...suite,
  hooks: {
    ...suite.hooks,
    before: [
      () => {
        throw error;
      },
    ],
  },
});

async function runCase(
  { skip, body }: Case,
  suite: Suite,
  title: string,
  broken: Thrown | undefined,
): Promise<Result> {
  const diagnostics: string[] = [];
  if (suite.skip || skip) return { title, skipped: true, diagnostics };
  const context: Context = onlyKnown(
    { diagnostic: (message: string) => void diagnostics.push(message) },
    't',
  );
  const around = (name: 'beforeEach' | 'afterEach') =>
    lineOf(suite).flatMap(({ hooks }) => hooks[name]);
  const error =
    broken ??
    (await thrownBy(async () => {
      await inOrder(around('beforeEach'));
      await body(context);
    }));
  const later = broken ? undefined : await thrownBy(() => inOrder(around('afterEach')));
  return { title, skipped: false, diagnostics, ...(error ?? later) };
}

/** The suites around a test, outermost first. */
const lineOf = (suite: Suite): Suite[] =>
  suite.parent ? [...lineOf(suite.parent), suite] : [suite];

type Thrown = { readonly error: unknown };

async function thrownBy(work: () => Promise<unknown>): Promise<Thrown | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { error };
  }
}

async function inOrder(hooks: readonly Hook[]): Promise<void> {
  for (const each of hooks) await each();
}

/** Nothing of it is known here. */
export const mock: never = onlyKnown({}, 'mock') as never;

function onlyKnown<T extends object>(known: T, of: string): T {
  return new Proxy(known, {
    get(target, name) {
      if (!Object.hasOwn(target, name)) throw new Error(`${of}.${String(name)} is not known here`);
      return Reflect.get(target, name);
    },
  });
}
