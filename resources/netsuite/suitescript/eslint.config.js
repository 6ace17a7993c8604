const js = require('@eslint/js');
const globals = require('globals');

module.exports = [
  js.configs.recommended,
  { files: ['src/**/*.js', 'test/stubs/*.js'], languageOptions: { sourceType: 'script', globals: globals.amd } },
  { files: ['test/*.js'], languageOptions: { sourceType: 'module', globals: globals.jest } },
];
