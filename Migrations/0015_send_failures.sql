-- Why an own message was given up: told to who asks for its fate (10-rest-api, section 23; 12-device-scoping-api, 6.4).

ALTER TABLE retry_buffer ADD COLUMN failure text, ADD COLUMN failure_code int;
