-- What `just try binlog-sync` and `just try binlog-router` have happen in the database.
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, region VARCHAR(8), price DECIMAL(10,2), secret VARCHAR(20));
CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40));
CREATE TABLE follows (user_id INT, followed_id INT, PRIMARY KEY (user_id, followed_id));
INSERT INTO orders VALUES (1, 'eu', 9.90, 'x'), (2, 'us', 20.00, 'y');
INSERT INTO users VALUES (1, 'Zoë'), (2, '王');
INSERT INTO follows VALUES (1, 2), (1, 3);
BEGIN;
UPDATE orders SET price = 8.90 WHERE id = 1;
UPDATE orders SET id = 9 WHERE id = 2;
DELETE FROM follows WHERE followed_id = 3;
COMMIT;
