# A script that writes its own files, over a data asset. All names are fixed: what is there already is met again.
# Expects here: deployment.yml, conda.yaml, reviews.yml, code/, reviews/
set -e

az ml environment create --name reviews-env --conda-file conda.yaml --image mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
az ml compute create --name batch-cluster --size STANDARD_DS3_v2 --min-instances 0 --max-instances 1 --type AmlCompute -g reviewers

echo "== the data"
az ml data create -f reviews.yml
DATA_ASSET_ID=$(az ml data show -n reviews --label latest --query id -o tsv)

echo "== endpoint and deployment"
az ml batch-endpoint create -n reviews
az ml batch-deployment create -f deployment.yml --set-default -o none

echo "== a job over the data asset, by its id"
JOB_NAME=$(az ml batch-endpoint invoke --name reviews --input $DATA_ASSET_ID --query name -o tsv)
az ml job stream --name $JOB_NAME
az ml job download --name $JOB_NAME --output-name score
ls named-outputs/score/*.csv

echo "== the same by name, with an inputs file and a name of its own"
cat > inputs.yml <<'YAML'
inputs:
  reviews:
    type: uri_folder
    path: azureml:reviews@latest
YAML
SECOND="again-$(date +%s%N)"
az ml batch-endpoint invoke --name reviews --file inputs.yml --job-name $SECOND --experiment-name feelings -o tsv --query "[name, experiment_name]"
az ml job stream -n $SECOND
az ml job list --query "[?experiment_name=='feelings'].status" -o tsv
az ml batch-endpoint list-jobs --name reviews --query "length(@)"

echo "== away with it"
az ml batch-endpoint delete -n reviews -y
az ml compute delete -n batch-cluster -y
echo "done"
