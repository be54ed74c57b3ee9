import js from '@eslint/js'
import jsxA11y from 'eslint-plugin-jsx-a11y'
import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

const features = ['dashboard', 'sources', 'destinations', 'pipelines', 'activity', 'settings']

/** A feature stands on `components`, `lib` and `repo`, never on another feature. */
const zones = features.map((feature) => ({
  files: [`src/features/${feature}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        paths: [{ name: 'axios', message: 'API calls belong to src/repo.' }],
        patterns: features
          .filter((other) => other !== feature)
          .map((other) => ({ group: [`@/features/${other}/*`], message: 'No imports across features.' })),
      },
    ],
  },
}))

export default tseslint.config(
  { ignores: ['dist', 'src/**/*.gen.ts', 'scripts', 'public'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  jsxA11y.flatConfigs.recommended,
  reactHooks.configs.flat['recommended-latest'],
  {
    rules: {
      'max-lines': ['error', 250],
      'no-console': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      'jsx-a11y/no-autofocus': 'off',
      // A region that scrolls must be reachable by keyboard.
      'jsx-a11y/no-noninteractive-tabindex': ['error', { tags: [], roles: ['region', 'tabpanel'] }],
      // The compiler is not used.
      'react-hooks/incompatible-library': 'off',
      'jsx-a11y/label-has-associated-control': ['error', { assert: 'either' }],
    },
  },
  ...zones,
  // Playwright hands its fixtures on by a function called `use`.
  { files: ['e2e/**'], rules: { 'react-hooks/rules-of-hooks': 'off' } },
  {
    files: ['src/{lib,components,repo}/**'],
    ignores: ['src/repo/client.ts', 'src/repo/api-error.ts', 'src/repo/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'axios', message: 'Use repo/client.' }], patterns: ['@/features/*'] },
      ],
    },
  },
)
