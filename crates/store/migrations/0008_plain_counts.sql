-- A chart reads the counts of hundreds of steps, and PostgreSQL took longer to unpack them than to read them. What is
-- written from now on is kept as it is; what is packed stays readable.
/*postgres ALTER TABLE key_usage ALTER COLUMN counts SET STORAGE EXTERNAL;*/
/*postgres ALTER TABLE delivery_stats ALTER COLUMN counts SET STORAGE EXTERNAL;*/
