// Oracle's stubs lack N/crypto/random
define([], () => ({ generateUUID: () => '00000000-0000-4000-8000-000000000000' }));
